// Fewer dimensions, about the same distances: each new one adds up or takes off a few of the old ones, drawn once
// from a fixed seed (very sparse random projections, Li, Hastie & Church 2006: the root of the width suffices).

const SEED = 20_260_101;

export interface SparseProjection {
  readonly dimension: number;
  /** Old dimensions [dimension, perOutput], each at most once an output. */
  readonly sources: Uint16Array;
  /** +1 or -1, [dimension, perOutput]. */
  readonly signs: Int8Array;
}

/** In [0, 1), the same on every machine. */
function seeded(): () => number {
  let state = SEED;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** From `width` (at most 65,536) dimensions to `dimension`. */
export function sparseProjection(width: number, dimension: number): SparseProjection {
  const perOutput = Math.ceil(Math.sqrt(width));
  const sources = new Uint16Array(dimension * perOutput);
  const signs = new Int8Array(dimension * perOutput);
  const next = seeded();
  const order = Uint16Array.from({ length: width }, (_, i) => i);
  for (let i = 0; i < sources.length; i++) {
    // The first steps of a shuffle, begun anew for each output: no source twice.
    const at = i % perOutput;
    const other = at + Math.floor(next() * (width - at));
    [order[at], order[other]] = [order[other]!, order[at]!];
    sources[i] = order[at];
    signs[i] = next() < 0.5 ? -1 : 1;
  }
  return { dimension, sources, signs };
}

/** `scale` times the projection of `row` [width] into `target` from `offset`. */
export function projectInto(
  projection: SparseProjection,
  row: ArrayLike<number>,
  scale: number,
  target: Float32Array,
  offset: number,
): void {
  const { dimension, sources, signs } = projection;
  const perOutput = sources.length / dimension;
  for (let d = 0, at = 0; d < dimension; d++) {
    let sum = 0;
    for (const end = at + perOutput; at < end; at++) sum += signs[at]! * row[sources[at]!]!;
    target[offset + d] = scale * sum;
  }
}
