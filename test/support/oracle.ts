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

/** Mixed values of one query, and the attention weights by head and key. */
export const attentionOf = (
  model: OracleModel,
  q: Float64Array,
  kv: OracleKv,
  layer: number,
  at: number,
): { mixed: Float64Array; weights: number[][] } => {
  const { numHeads, numKvHeads, headDim } = model;
  const mixed = new Float64Array(numHeads * headDim);
  const byHead: number[][] = [];
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
    const exponentials = scores.map((score) => Math.exp(score - top));
    const total = exponentials.reduce((a, b) => a + b, 0);
    const weights = exponentials.map((value) => value / total);
    weights.forEach((weight, key) => {
      for (let i = 0; i < headDim; i++) {
        mixed[head * headDim + i]! += weight * kv.v[layer]![key]![source + i]!;
      }
    });
    byHead.push(weights);
  }
  return { mixed, weights: byHead };
};

/** Writes the row's K and V; gives its query. */
export const layerStep = (
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
  return { q };
};

/** Residual connections and the feed-forward part behind attention. */
export const finishLayer = (
  model: OracleModel,
  layer: number,
  x: Float64Array,
  attended: Float64Array,
): Float64Array => {
  const name = (part: string): string => `blk.${layer}.${part}.weight`;
  const mixed = matVec(model, name('attn_output'), attended);
  const h = x.map((value, j) => value + mixed[j]!);
  const normed = rmsNorm(model, name('ffn_norm'), h);
  const gate = matVec(model, name('ffn_gate'), normed);
  const up = matVec(model, name('ffn_up'), normed);
  const active = gate.map((g, j) => (g / (1 + Math.exp(-g))) * up[j]!);
  const down = matVec(model, name('ffn_down'), active);
  return h.map((value, j) => value + down[j]!);
};

export const headLogits = (model: OracleModel, x: Float64Array): Float64Array => {
  const last = rmsNorm(model, 'output_norm.weight', x);
  const head = model.tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight';
  return matVec(model, head, last);
};

export const embedRow = (model: OracleModel, token: number): Float64Array => {
  const { data, columns } = model.tensors.get('token_embd.weight')!;
  return Float64Array.from(data.subarray(token * columns, (token + 1) * columns));
};

export const emptyKv = (model: OracleModel): OracleKv => {
  const empty = (): Float64Array[][] => Array.from({ length: model.numLayers }, () => []);
  return { k: empty(), v: empty() };
};

export interface OracleImport {
  donor: OracleKv;
  donorStart: number;
  targetStart: number;
  length: number;
}

/** Donor rows at their target positions, K turned by the shift. */
export function importInto(
  model: OracleModel,
  kv: OracleKv,
  imports: readonly OracleImport[],
  rotated = true,
): OracleKv {
  for (let layer = 0; layer < model.numLayers; layer++) {
    for (const { donor, donorStart, targetStart, length } of imports) {
      for (let i = 0; i < length; i++) {
        const key = donor.k[layer]![donorStart + i]!;
        const shift = rotated ? targetStart - donorStart : 0;
        kv.k[layer]![targetStart + i] = rotatePairs(model, key, shift);
        kv.v[layer]![targetStart + i] = donor.v[layer]![donorStart + i]!;
      }
    }
  }
  return kv;
}

/** Logits after the last token, and the KV of every position. `recompute` lists fresh positions. */
export function oracleForward(
  model: OracleModel,
  tokens: readonly number[],
  imports: readonly OracleImport[] = [],
  recompute: readonly number[] = tokens.map((_, i) => i),
): { logits: Float64Array; kv: OracleKv } {
  const kv = importInto(model, emptyKv(model), imports);
  let rows = recompute.map((at) => embedRow(model, tokens[at]!));
  for (let layer = 0; layer < model.numLayers; layer++) {
    const steps = rows.map((x, i) => layerStep(model, layer, x, kv, recompute[i]!));
    rows = rows.map((x, i) => {
      const { mixed } = attentionOf(model, steps[i]!.q, kv, layer, recompute[i]!);
      return finishLayer(model, layer, x, mixed);
    });
  }
  return { logits: headLogits(model, rows.at(-1)!), kv };
}
