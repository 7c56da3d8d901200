// From scores to the tokens that a top-up recomputes: the best share of the imported ones, one by one or
// by groups of neighbours. Pure.
import type { TopUp } from '../../protocol/index.ts';

/** Indices by falling value; of equal ones the first. */
function ranked(values: ArrayLike<number>): number[] {
  return Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
}

/** How many of `count` tokens the ratio asks for, rounded up. */
export function pickCount(ratio: number, count: number): number {
  // 0.07 x 100 is 7.000000000000001 in floating point; that is seven.
  return Math.min(count, Math.ceil(ratio * count - 1e-9));
}

/** Indices of `positions` (ascending) in groups of up to `window` neighbours. */
function neighbourGroups(positions: Int32Array, window: number): number[][] {
  const groups: number[][] = [];
  positions.forEach((position, i) => {
    const group = groups.at(-1);
    const follows = i > 0 && positions[i - 1] === position - 1;
    if (group && follows && group.length < window) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

/**
 * The positions to recompute besides, ascending. Of each group, by falling sum of scores, the best
 * `keep`; where all groups together give too few, the best of what is left.
 */
export function chooseTokens(
  positions: Int32Array,
  scores: Float32Array,
  { ratio, window, keep }: TopUp,
): Int32Array {
  const count = pickCount(ratio, positions.length);
  const best: number[] = [];
  const rest: number[] = [];
  const groups = neighbourGroups(positions, window);
  const sums = groups.map((group) => group.reduce((sum, i) => sum + scores[i]!, 0));
  for (const at of ranked(sums)) {
    const order = [...groups[at]!].sort((a, b) => scores[b]! - scores[a]! || a - b);
    best.push(...order.slice(0, keep));
    rest.push(...order.slice(keep));
  }
  rest.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return Int32Array.from([...best, ...rest].slice(0, count), (i) => positions[i]!).sort();
}

/** Positions that keep their imported KV, worst score first: the order of refreshing while decoding. */
export function refreshOrder(
  positions: Int32Array,
  scores: Float32Array,
  picked: ReadonlySet<number>,
): number[] {
  return ranked(scores)
    .map((i) => positions[i]!)
    .filter((position) => !picked.has(position));
}
