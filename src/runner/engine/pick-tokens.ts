// Which imported tokens a top-up computes again: the best by score, one by one or in groups of neighbours.
import type { TopUp } from '../../protocol/index.ts';

export interface Scored {
  /** Target positions, ascending. */
  readonly positions: Int32Array;
  /** Higher = more in need of it. */
  readonly scores: Float32Array;
}

const byScore =
  (scores: Float32Array) =>
  (a: number, b: number): number =>
    scores[b]! - scores[a]! || a - b;

/** Indices, best first; of each group of `window` neighbours only the best `keep` come before the rest. */
function ranked({ scores }: Scored, { window, keep }: TopUp): number[] {
  const all = Array.from(scores, (_, i) => i);
  if (window === 1) return all.sort(byScore(scores));
  const groups: number[][] = [];
  for (let at = 0; at < all.length; at += window) groups.push(all.slice(at, at + window));
  const sum = (group: readonly number[]): number =>
    group.reduce((total, i) => total + scores[i]!, 0);
  const sorted = groups
    .map((group) => ({ group: group.sort(byScore(scores)), total: sum(group) }))
    .sort((a, b) => b.total - a.total);
  const kept = sorted.flatMap(({ group }) => group.slice(0, keep));
  return [...kept, ...sorted.flatMap(({ group }) => group.slice(keep))];
}

export interface Picks {
  /** Ascending. */
  readonly picked: Int32Array;
  /** What was not picked, worst off first. */
  readonly left: Int32Array;
}

/** ceil(ratio x tokens) of them. */
export function pickTokens(scored: Scored, topUp: TopUp): Picks {
  const { positions } = scored;
  const order = ranked(scored, topUp);
  const count = Math.min(positions.length, Math.ceil(topUp.ratio * positions.length));
  const at = (index: number): number => positions[index]!;
  return {
    picked: Int32Array.from(order.slice(0, count), at).sort(),
    left: Int32Array.from(order.slice(count).sort(byScore(scored.scores)), at),
  };
}
