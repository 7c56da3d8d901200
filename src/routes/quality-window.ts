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

/** 99.9 %: the question is asked again with every sample. */
const Z = 3.291;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean, by the normal approximation. */
function meanInterval(values: readonly number[]): readonly [number, number] {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const half =
    values.length < 2 ? Infinity : Z * Math.sqrt(squares / (values.length - 1) / values.length);
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

/** Whether chance does not explain that they do not. */
export const isOutside = ({ klInterval, top1Interval }: Estimate, budget: QualityBudget): boolean =>
  (klInterval !== null && klInterval[0] > budget.kl) ||
  (top1Interval !== null && top1Interval[1] < budget.top1);
