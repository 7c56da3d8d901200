// The newest comparisons of reuse with full prefill, and what can be said from so few: a mean KL and a share of equal
// first tokens, each with an interval.

/** One request computed both ways. */
export interface QualitySample {
  /** Mean KL(full || reuse) along the answer, nats. */
  readonly kl: number;
  /** Whether the first token was the same. */
  readonly top1: boolean;
}

/** What answers have to keep to. */
export interface QualityBudget {
  /** Least share of equal first tokens. */
  readonly top1: number;
  /** Highest mean KL, nats. */
  readonly kl: number;
  /** Samples before a policy on trial serves. */
  readonly samples: number;
  /** Share of reused requests that is compared with a full prefill. */
  readonly share: number;
}

export interface Estimate {
  readonly samples: number;
  /** Null without any. */
  readonly kl: number | null;
  readonly klInterval: readonly [low: number, high: number] | null;
  readonly top1: number | null;
  readonly top1Interval: readonly [low: number, high: number] | null;
}

/** Chance that a mean which keeps to the budget is taken for one that does not, at one look. */
const RISK = 0.0005;
/** Student's t of that risk by degrees of freedom; beyond the last the normal distribution is near enough. */
const T = [636, 31.6, 12.9, 8.61, 6.87, 5.96, 5.41, 5.04, 4.78, 4.59, 4.44, 4.32, 4.22, 4.14, 4.07];
const T_MANY = 3.7;
/** For the intervals that are shown. */
const Z = 3.291;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean (Student 1908). */
function meanInterval(values: readonly number[]): readonly [number, number] {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const freedom = values.length - 1;
  const t = T[freedom - 1] ?? T_MANY;
  const half = freedom < 1 ? Infinity : t * Math.sqrt(squares / freedom / values.length);
  return [Math.max(0, middle - half), middle + half];
}

/** Of a share (Wilson 1927). */
function shareInterval(share: number, count: number): readonly [number, number] {
  const z2 = (Z * Z) / count;
  const middle = (share + z2 / 2) / (1 + z2);
  const half = (Z * Math.sqrt((share * (1 - share)) / count + z2 / 4 / count)) / (1 + z2);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export class QualityWindow {
  readonly #limit: number;
  readonly #samples: QualitySample[];

  constructor(limit: number, samples: readonly QualitySample[] = []) {
    this.#limit = limit;
    this.#samples = samples.slice(-limit);
  }

  get samples(): readonly QualitySample[] {
    return this.#samples;
  }

  add(sample: QualitySample): void {
    this.#samples.push(sample);
    if (this.#samples.length > this.#limit) this.#samples.shift();
  }

  clear(): void {
    this.#samples.length = 0;
  }

  get estimate(): Estimate {
    const samples = this.#samples.length;
    if (samples === 0) {
      return { samples, kl: null, klInterval: null, top1: null, top1Interval: null };
    }
    const kls = this.#samples.map(({ kl }) => kl);
    const top1 = mean(this.#samples.map((sample) => (sample.top1 ? 1 : 0)));
    return {
      samples,
      kl: mean(kls),
      klInterval: meanInterval(kls),
      top1,
      top1Interval: shareInterval(top1, samples),
    };
  }
}

/** Whether the means keep to the budget. */
export const isWithin = ({ kl, top1 }: Estimate, budget: QualityBudget): boolean =>
  kl !== null && kl <= budget.kl && top1 !== null && top1 >= budget.top1;

/** Chance of so many misses or more among `count` where the share of hits is just `share`. */
function chanceOfMisses(count: number, misses: number, share: number): number {
  if (share >= 1) return misses > 0 || share > 1 ? 0 : 1;
  let [term, fewer] = [share ** count, 0];
  for (let k = 0; k < misses; k++) {
    fewer += term;
    term *= ((count - k) / (k + 1)) * ((1 - share) / share);
  }
  return 1 - fewer;
}

/** Whether chance does not explain that they do not. */
export function isOutside({ samples, klInterval, top1 }: Estimate, budget: QualityBudget): boolean {
  if (klInterval !== null && klInterval[0] > budget.kl) return true;
  if (top1 === null || top1 >= budget.top1) return false;
  const misses = Math.round((1 - top1) * samples);
  return chanceOfMisses(samples, misses, budget.top1) < RISK;
}
