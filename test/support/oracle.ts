// The slow reference: a Llama forward pass in plain TypeScript with float64 sums, no TensorFlow, written
// from the formulas. It follows a plan literally: imported rows take the donor's K (rotated by their
// shift) and V, recomputed rows are fresh at every layer.

export interface OracleModel {
  numLayers: number;
  hiddenSize: number;
  numHeads: number;
  numKvHeads: number;
  headDim: number;
  ffnSize: number;
  vocabSize: number;
  rmsEps: number;
  ropeTheta: number;
  /** GGUF names → row-major [rows][columns]. */
  tensors: Map<string, { rows: number; columns: number; data: Float32Array }>;
}

/** Per layer, per position: K before any sharing, rotated at its position, and V; [kvHeads * headDim]. */
export interface OracleKv {
  k: Float64Array[][];
  v: Float64Array[][];
}

const matVec = (model: OracleModel, name: string, x: Float64Array): Float64Array => {
  const { rows, columns, data } = model.tensors.get(name)!;
  const y = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += data[r * columns + c]! * x[c]!;
    y[r] = sum;
  }
  return y;
};

const rmsNorm = (model: OracleModel, name: string, x: Float64Array): Float64Array => {
  const gain = model.tensors.get(name)!.data;
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + model.rmsEps)) * gain[i]!);
};

/** Rotates pairs (2i, 2i+1) of every head by `steps` positions. */
export const rotatePairs = (model: OracleModel, x: Float64Array, steps: number): Float64Array => {
  const { headDim, ropeTheta } = model;
  const y = x.slice();
  for (let base = 0; base < x.length; base += headDim) {
    for (let i = 0; i < headDim; i += 2) {
      const angle = steps * Math.pow(ropeTheta, -i / headDim);
      const [a, b] = [x[base + i]!, x[base + i + 1]!];
      y[base + i] = a * Math.cos(angle) - b * Math.sin(angle);
      y[base + i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
  return y;
};

/** Hears what a query at position `at` attends to key positions 0..at, head by head. */
export type AttentionListener = (layer: number, at: number, weights: readonly number[]) => void;

const attend = (
  model: OracleModel,
  q: Float64Array,
  kv: OracleKv,
  { layer, at }: { layer: number; at: number },
  listen?: AttentionListener,
) => {
  const { numHeads, numKvHeads, headDim } = model;
  const out = new Float64Array(numHeads * headDim);
  for (let head = 0; head < numHeads; head++) {
    const source = Math.floor(head / (numHeads / numKvHeads)) * headDim;
    const scores: number[] = [];
    for (let key = 0; key <= at; key++) {
      let dot = 0;
      for (let i = 0; i < headDim; i++) {
        dot += q[head * headDim + i]! * kv.k[layer]![key]![source + i]!;
      }
      scores.push(dot / Math.sqrt(headDim));
    }
    const top = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - top));
    const total = weights.reduce((a, b) => a + b, 0);
    listen?.(
      layer,
      at,
      weights.map((weight) => weight / total),
    );
    weights.forEach((weight, key) => {
      for (let i = 0; i < headDim; i++) {
        out[head * headDim + i]! += (weight / total) * kv.v[layer]![key]![source + i]!;
      }
    });
  }
  return out;
};

const layerStep = (
  model: OracleModel,
  layer: number,
  x: Float64Array,
  kv: OracleKv,
  at: number,
) => {
  const name = (part: string): string => `blk.${layer}.${part}.weight`;
  const normed = rmsNorm(model, name('attn_norm'), x);
  const q = rotatePairs(model, matVec(model, name('attn_q'), normed), at);
  kv.k[layer]![at] = rotatePairs(model, matVec(model, name('attn_k'), normed), at);
  kv.v[layer]![at] = matVec(model, name('attn_v'), normed);
  return { q, name };
};

export interface OracleImport {
  donor: OracleKv;
  donorStart: number;
  targetStart: number;
  length: number;
}

export interface OracleOptions {
  /** Layers that are computed for every position from `exactTokens` on. */
  fullLayers?: number;
  exactTokens?: number;
  listen?: AttentionListener;
}

/** Logits after the last token, and the KV of every position. `recompute` lists fresh positions. */
export function oracleForward(
  model: OracleModel,
  tokens: readonly number[],
  imports: readonly OracleImport[] = [],
  recompute: readonly number[] = tokens.map((_, i) => i),
  { fullLayers = 0, exactTokens = 0, listen }: OracleOptions = {},
): { logits: Float64Array; kv: OracleKv } {
  const empty = (): Float64Array[][] => Array.from({ length: model.numLayers }, () => []);
  const kv: OracleKv = { k: empty(), v: empty() };
  for (let layer = 0; layer < model.numLayers; layer++) {
    for (const { donor, donorStart, targetStart, length } of imports) {
      for (let i = 0; i < length; i++) {
        const key = donor.k[layer]![donorStart + i]!;
        kv.k[layer]![targetStart + i] = rotatePairs(model, key, targetStart - donorStart);
        kv.v[layer]![targetStart + i] = donor.v[layer]![donorStart + i]!;
      }
    }
  }
  const { data, columns } = model.tensors.get('token_embd.weight')!;
  let positions =
    fullLayers > 0 ? tokens.map((_, i) => i).filter((at) => at >= exactTokens) : recompute;
  let rows = positions.map((at) =>
    Float64Array.from(data.subarray(tokens[at]! * columns, (tokens[at]! + 1) * columns)),
  );
  for (let layer = 0; layer < model.numLayers; layer++) {
    if (layer === fullLayers && layer > 0) {
      const here = positions;
      rows = rows.filter((_, i) => recompute.includes(here[i]!));
      positions = recompute;
    }
    const fresh = positions;
    const steps = rows.map((x, i) => layerStep(model, layer, x, kv, fresh[i]!));
    rows = rows.map((x, i) => {
      const { q, name } = steps[i]!;
      const mixed = matVec(
        model,
        name('attn_output'),
        attend(model, q, kv, { layer, at: fresh[i]! }, listen),
      );
      const h = x.map((value, j) => value + mixed[j]!);
      const normed = rmsNorm(model, name('ffn_norm'), h);
      const gate = matVec(model, name('ffn_gate'), normed);
      const up = matVec(model, name('ffn_up'), normed);
      const active = gate.map((g, j) => (g / (1 + Math.exp(-g))) * up[j]!);
      const down = matVec(model, name('ffn_down'), active);
      return h.map((value, j) => value + down[j]!);
    });
  }
  const last = rmsNorm(model, 'output_norm.weight', rows.at(-1)!);
  const head = model.tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight';
  return { logits: matVec(model, head, last), kv };
}
