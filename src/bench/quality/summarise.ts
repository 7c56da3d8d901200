// From measures of single cases to what a policy does to a family. Means are over the cases that count; `everyCase`
// adds those that fell back, so that policies with other fallbacks can be compared.
import { mean, meanInterval, type Interval } from './bootstrap.ts';
import type { Pair } from './answer-scores.ts';
import type { CaseMeasure } from './measure-case.ts';

/** Paired by case; a difference is policy minus full prefill. */
export interface PairedScore extends Pair {
  readonly difference: number;
  readonly interval: Interval | null;
}

const measured = ['kl1', 'kl32', 'top1', 'agree32', 'rougeL', 'chargedRecompute'] as const;
export type Measure = (typeof measured)[number];

/** Means; null when no case counts. */
export type Means = Readonly<Record<Measure, number | null>>;

export interface Summary extends Means {
  /** Cases with imports beyond the exact prefix. */
  readonly n: number;
  readonly total: number;
  readonly fellBack: number;
  readonly intervals: Readonly<Record<Measure, Interval | null>>;
  /** Why not more was reused, by case. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Of all cases, whether or not they count. */
  readonly everyCase: Means;
  readonly marginRecovery?: number | null;
  /** Cases that marginRecovery is a mean of. */
  readonly marginCases?: number;
  readonly flip?: number | null;
  /** The same share under full prefill. */
  readonly flipFull?: number | null;
  readonly referenceLogProb?: PairedScore;
  readonly referenceRougeL?: PairedScore;
  readonly referenceBleu?: PairedScore;
}

const orNull = (values: readonly number[]): number | null =>
  values.length === 0 ? null : mean(values);

const meansOf = (measures: readonly CaseMeasure[]): Means =>
  Object.fromEntries(
    measured.map((name) => [name, orNull(measures.map((measure) => measure[name]))]),
  ) as Means;

/** Least margin, nats, that says which answer a prompt asks for. */
const CLEAR_MARGIN = 0.2;

/** How much of the way from the stale answer to full prefill's the policy has gone; null where that says little. */
function recovery({ full, policy, stale }: NonNullable<CaseMeasure['margin']>): number | null {
  const clear = full > CLEAR_MARGIN && stale < CLEAR_MARGIN && full - stale > CLEAR_MARGIN;
  return clear ? (policy - stale) / (full - stale) : null;
}

function editScores(measures: readonly CaseMeasure[]): Partial<Summary> {
  const margins = measures.map(({ margin }) => margin).filter((margin) => margin !== undefined);
  if (margins.length === 0) return {};
  const recoveries = margins.map(recovery).filter((value) => value !== null);
  const flips = (of: keyof Pair): number | null =>
    orNull(margins.map((margin) => (margin[of] > 0 ? 1 : 0)));
  return {
    marginRecovery: orNull(recoveries),
    marginCases: recoveries.length,
    flip: flips('policy'),
    flipFull: flips('full'),
  };
}

function paired(pairs: readonly Pair[]): PairedScore {
  const differences = pairs.map(({ full, policy }) => policy - full);
  return {
    full: mean(pairs.map(({ full }) => full)),
    policy: mean(pairs.map(({ policy }) => policy)),
    difference: mean(differences),
    interval: meanInterval(differences),
  };
}

function referenceScores(measures: readonly CaseMeasure[]): Partial<Summary> {
  const references = measures
    .map(({ reference }) => reference)
    .filter((reference) => reference !== undefined);
  if (references.length === 0) return {};
  return {
    referenceLogProb: paired(references.map(({ logProb }) => logProb)),
    referenceRougeL: paired(references.map((reference) => reference.rougeL)),
    referenceBleu: paired(references.map((reference) => reference.bleu)),
  };
}

export function summarise(measures: readonly CaseMeasure[]): Summary {
  const counted = measures.filter((measure) => measure.counted);
  const reasons: Record<string, number> = {};
  for (const { reason } of measures) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    n: counted.length,
    total: measures.length,
    fellBack: measures.length - counted.length,
    ...meansOf(counted),
    intervals: Object.fromEntries(
      measured.map((name) => [name, meanInterval(counted.map((measure) => measure[name]))]),
    ) as Summary['intervals'],
    reasons,
    everyCase: meansOf(measures),
    ...editScores(counted),
    ...referenceScores(counted),
  };
}
