// The slow reference for what needs tensors: full first layers, V deviation, DHD and query attention, in
// plain loops from the papers' formulas. It keeps K and V of every position in every layer, imported or
// fresh, and lets the set of computed rows shrink from layer to layer.
import {
  attentionOf,
  emptyKv,
  embedRow,
  finishLayer,
  headLogits,
  importInto,
  layerStep,
  type OracleImport,
  type OracleKv,
  type OracleModel,
} from './oracle.ts';

export interface LayeredInput {
  tokens: readonly number[];
  imports: readonly OracleImport[];
  /** Positions computed at each layer; each set lies within the one before. */
  rowsAt: (layer: number, state: LayeredState) => readonly number[];
  rotated?: boolean;
}

export interface LayeredState {
  /** What was imported, untouched. */
  imported: OracleKv;
  kv: OracleKv;
  /** Attention by layer and key, summed over rows and heads. */
  columns: number[][];
}

export interface LayeredOutput extends LayeredState {
  logits: Float64Array;
  layerTokens: number;
}

export function layeredForward(model: OracleModel, input: LayeredInput): LayeredOutput {
  const { tokens, imports, rowsAt, rotated = true } = input;
  const imported = importInto(model, emptyKv(model), imports, rotated);
  const kv = importInto(model, emptyKv(model), imports, rotated);
  const columns: number[][] = [];
  const state = { imported, kv, columns };
  let layerTokens = 0;
  let x = new Map<number, Float64Array>();
  for (let layer = 0; layer < model.numLayers; layer++) {
    const rows = rowsAt(layer, state);
    layerTokens += rows.length;
    if (layer === 0) x = new Map(rows.map((at) => [at, embedRow(model, tokens[at]!)]));
    const queries = new Map(rows.map((at) => [at, layerStep(model, layer, x.get(at)!, kv, at).q]));
    const sums = tokens.map(() => 0);
    const next = new Map<number, Float64Array>();
    for (const at of rows) {
      const { mixed, weights } = attentionOf(model, queries.get(at)!, kv, layer, at);
      for (const byKey of weights) byKey.forEach((weight, key) => (sums[key]! += weight));
      next.set(at, finishLayer(model, layer, x.get(at)!, mixed));
    }
    columns.push(sums);
    x = next;
  }
  return { ...state, logits: headLogits(model, x.get(tokens.length - 1)!), layerTokens };
}

const distance = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0);

/** The best `ratio` of `kept`, one by one. */
export function bestOf(
  kept: readonly number[],
  scores: readonly number[],
  ratio: number,
): number[] {
  const order = kept.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order
    .slice(0, Math.ceil(ratio * kept.length - 1e-9))
    .map((i) => kept[i]!)
    .sort((a, b) => a - b);
}

export interface Extras {
  fullLayers: number;
  selector: 'v-deviation' | 'dhd' | 'query-attention' | null;
  ratio: number;
  /** Rows of the scoring pass of `query-attention`. */
  asking: readonly number[];
}

/** What the runner must compute for a plan: logits, picks and charge. */
export function oracleWithExtras(
  model: OracleModel,
  tokens: readonly number[],
  imports: readonly (OracleImport & { exact: boolean })[],
  recompute: readonly number[],
  { fullLayers, selector, ratio, asking }: Extras,
): LayeredOutput & { picks: number[]; scores: number[] } {
  const fresh = new Set(recompute);
  const positionsOf = (exact: boolean): number[] =>
    imports
      .filter((entry) => entry.exact === exact)
      .flatMap(({ targetStart, length }) => Array.from({ length }, (_, i) => targetStart + i))
      .filter((at) => !fresh.has(at));
  const kept = positionsOf(false);
  const shallow = [...recompute, ...kept].sort((a, b) => a - b);
  let picks: number[] = [];
  let scores: number[] = [];
  let layerTokens = 0;
  let full = fullLayers;
  if (selector === 'query-attention') {
    const pass = layeredForward(model, {
      tokens,
      imports,
      rowsAt: (layer) => (layer < full ? shallow : asking),
    });
    layerTokens += asking.length * (model.numLayers - full);
    scores = kept.map((at) => pass.columns.slice(full).reduce((sum, byKey) => sum + byKey[at]!, 0));
    picks = bestOf(kept, scores, ratio);
  } else if (selector) {
    full = Math.max(full, 2);
  }
  const result = layeredForward(model, {
    tokens,
    imports,
    rowsAt: (layer, { imported, kv, columns }) => {
      if (layer < full) return shallow;
      if (layer === full && (selector === 'v-deviation' || selector === 'dhd')) {
        scores = kept.map((at) => {
          const v = distance(kv.v[1]![at]!, imported.v[1]![at]!);
          return selector === 'dhd' ? v * columns[1]![at]! : v;
        });
        picks = bestOf(kept, scores, ratio);
      }
      return [...recompute, ...picks].sort((a, b) => a - b);
    },
  });
  return { ...result, layerTokens: layerTokens + result.layerTokens, picks, scores };
}

/** One later pass over KV that exists: these rows at every layer, their K and V written over the old ones. */
export function oracleRows(
  model: OracleModel,
  kv: OracleKv,
  tokens: readonly number[],
  rows: readonly number[],
): Float64Array {
  let x = rows.map((at) => embedRow(model, tokens[at]!));
  for (let layer = 0; layer < model.numLayers; layer++) {
    const steps = x.map((row, i) => layerStep(model, layer, row, kv, rows[i]!));
    x = x.map((row, i) => {
      const { mixed } = attentionOf(model, steps[i]!.q, kv, layer, rows[i]!);
      return finishLayer(model, layer, row, mixed);
    });
  }
  return headLogits(model, x.at(-1)!);
}
