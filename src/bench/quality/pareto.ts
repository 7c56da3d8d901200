// Which policies nobody beats in quality and cost at once, over all cases: one that falls back pays for it there.
import { mean, meanInterval, type Interval } from './bootstrap.ts';
import type { CaseMeasure } from './measure-case.ts';

export interface ParetoPoint {
  readonly policy: string;
  readonly chargedRecompute: number;
  readonly kl32: number;
  /** No policy is better in KL or cost without being worse in the other. */
  readonly onFront: boolean;
}

type Means = Omit<ParetoPoint, 'onFront'>;

function beats(other: Means, own: Means): boolean {
  const [kl32, charged] = [other.kl32 - own.kl32, other.chargedRecompute - own.chargedRecompute];
  return kl32 <= 0 && charged <= 0 && kl32 + charged < 0;
}

export const paretoPoints = (means: readonly Means[]): ParetoPoint[] =>
  means.map((own) => ({ ...own, onFront: !means.some((other) => beats(other, own)) }));

export interface Comparison {
  readonly policy: string;
  readonly than: string;
  /** Mean of `policy` minus `than` over the same cases. */
  readonly kl32: number;
  readonly interval: Interval | null;
  readonly chargedRecompute: number;
}

/** Paired by case, whatever order the measures have; both policies must have measured the same cases. */
export function compare(
  own: readonly CaseMeasure[],
  others: readonly CaseMeasure[],
): Comparison | null {
  const byId = new Map(others.map((measure) => [measure.id, measure]));
  const pairs = own.map((measure) => [measure, byId.get(measure.id)!] as const);
  if (pairs.length === 0) return null;
  const differences = pairs.map(([a, b]) => a.kl32 - b.kl32);
  return {
    policy: own[0]!.policy,
    than: others[0]!.policy,
    kl32: mean(differences),
    interval: meanInterval(differences),
    chargedRecompute: mean(pairs.map(([a, b]) => a.chargedRecompute - b.chargedRecompute)),
  };
}
