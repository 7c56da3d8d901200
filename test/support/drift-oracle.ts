// The slow reference for drift correction, in plain loops: chunk by chunk, layer by layer, the first chunk that
// computes tokens of an imported run moves what is left of the run by their mean difference, before anybody attends.
import {
  attentionOf,
  embedRow,
  emptyKv,
  finishLayer,
  headLogits,
  importInto,
  layerStep,
  rotatePairs,
  type OracleImport,
  type OracleKv,
  type OracleModel,
} from './oracle.ts';

interface DriftInput {
  tokens: readonly number[];
  imports: readonly (OracleImport & { exact: boolean })[];
  /** Positions that are computed, ascending. */
  recompute: readonly number[];
  strength: number;
  chunk: number;
}

interface Run {
  /** Computed in this chunk. */
  members: number[];
  kept: number[];
}

/** As if the token stood at position 0. */
const plain = (model: OracleModel, key: Float64Array, at: number): Float64Array =>
  rotatePairs(model, key, -at);

const minus = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x - b[i]!);

function meanOf(vectors: readonly Float64Array[]): Float64Array {
  return vectors[0]!.map((_, i) => vectors.reduce((sum, v) => sum + v[i]!, 0) / vectors.length);
}

function moveRun(
  model: OracleModel,
  { kv, imported }: { kv: OracleKv; imported: OracleKv },
  layer: number,
  { members, kept }: Run,
  strength: number,
): void {
  const [k, v] = [kv.k[layer]!, kv.v[layer]!];
  const [oldK, oldV] = [imported.k[layer]!, imported.v[layer]!];
  const ofK = meanOf(
    members.map((at) => minus(plain(model, k[at]!, at), plain(model, oldK[at]!, at))),
  );
  const ofV = meanOf(members.map((at) => minus(v[at]!, oldV[at]!)));
  for (const at of kept) {
    const turned = rotatePairs(model, ofK, at);
    k[at] = oldK[at]!.map((x, i) => x + strength * turned[i]!);
    v[at] = oldV[at]!.map((x, i) => x + strength * ofV[i]!);
  }
}

/** The logits behind the last token. */
export function oracleWithDrift(
  model: OracleModel,
  { tokens, imports, recompute, strength, chunk }: DriftInput,
): Float64Array {
  const imported = importInto(model, emptyKv(model), imports);
  const kv = importInto(model, emptyKv(model), imports);
  const computed = new Set(recompute);
  let left = imports
    .filter(({ exact }) => !exact)
    .map(({ targetStart, length }) => Array.from({ length }, (_, i) => targetStart + i));
  let x: Float64Array[] = [];
  for (let start = 0; start < recompute.length; start += chunk) {
    const rows = recompute.slice(start, start + chunk);
    const inChunk = new Set(rows);
    const shown = left.filter((run) => run.some((at) => inChunk.has(at)));
    left = left.filter((run) => !shown.includes(run));
    const runs = shown.map((run) => ({
      members: run.filter((at) => inChunk.has(at)),
      kept: run.filter((at) => !computed.has(at)),
    }));
    x = rows.map((at) => embedRow(model, tokens[at]!));
    for (let layer = 0; layer < model.numLayers; layer++) {
      const steps = x.map((row, i) => layerStep(model, layer, row, kv, rows[i]!));
      for (const run of runs) moveRun(model, { kv, imported }, layer, run, strength);
      x = x.map((row, i) => {
        const { mixed } = attentionOf(model, steps[i]!.q, kv, layer, rows[i]!);
        return finishLayer(model, layer, row, mixed);
      });
    }
  }
  return headLogits(model, x.at(-1)!);
}
