// Whether two samples come from one distribution (Fisher's permutation test): how far apart they are, against how far
// apart they are when it is drawn by lot which answer belongs to which. Groups are shuffled each within itself.
import { randomFrom } from '../random.ts';
import { percentile } from '../statistics.ts';

/** The same number of answers of both kinds to one prompt. */
export interface TwoSamples<T> {
  readonly full: readonly T[];
  readonly reuse: readonly T[];
}

export interface PermutationTest {
  /** Mean over the groups. */
  readonly observed: number;
  /** Middle 95 % of what chance alone gives. */
  readonly byChance: readonly [low: number, high: number];
  /** Share of shuffles that lie as far from their mean as what was observed, or farther. */
  readonly p: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

export function permutationTest<T>(
  groups: readonly TwoSamples<T>[],
  statistic: (full: readonly T[], reuse: readonly T[]) => number,
  shuffles = 1000,
  seed = 20_250_323,
): PermutationTest {
  const random = randomFrom(seed);
  const observed = mean(groups.map(({ full, reuse }) => statistic(full, reuse)));
  const chance = Array.from({ length: shuffles }, () =>
    mean(
      groups.map(({ full, reuse }) => {
        const all = shuffled([...full, ...reuse], random);
        return statistic(all.slice(0, full.length), all.slice(full.length));
      }),
    ),
  );
  const center = mean(chance);
  const distance = Math.abs(observed - center) - 1e-12;
  const asFar = chance.filter((value) => Math.abs(value - center) >= distance).length;
  return {
    observed,
    byChance: [percentile(chance, 0.025), percentile(chance, 0.975)],
    p: (asFar + 1) / (shuffles + 1),
  };
}

/** Half the sum of the differences of the shares: 0 = equal, 1 = nothing in common. */
export function totalVariation(a: readonly number[], b: readonly number[]): number {
  const difference = new Map<number, number>();
  for (const id of a) difference.set(id, (difference.get(id) ?? 0) + 1 / a.length);
  for (const id of b) difference.set(id, (difference.get(id) ?? 0) - 1 / b.length);
  return [...difference.values()].reduce((sum, value) => sum + Math.abs(value), 0) / 2;
}

/** Every run of one or two tokens, as a number. */
export const runsOf = (answer: readonly number[], n: 1 | 2): number[] =>
  n === 1 ? [...answer] : answer.slice(1).map((id, at) => answer[at]! * 2 ** 24 + id);

/** Different runs / all of them: distinct-n (Li et al. 2016). */
export function distinct(runs: readonly (readonly number[])[]): number {
  const different = new Set<number>();
  let all = 0;
  for (const own of runs) {
    for (const run of own) different.add(run);
    all += own.length;
  }
  return all === 0 ? 0 : different.size / all;
}
