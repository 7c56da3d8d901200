// What counts as alike depends on the embedder and on the texts: raw cosines of unrelated prompts lie anywhere
// between .1 and .97. So the threshold follows the pairs of stored prompts that have no passage in common.

/** Pairs that are remembered. */
const REMEMBERED = 512;
/** Fewer say nothing. */
const NEEDED = 50;
const LOWEST = 0.5;
const HIGHEST = 0.95;

/** Share of prompts that may be called alike to some donor by chance. */
const BY_CHANCE = 0.02;

export interface CalibrationState {
  /** For a scope with as many donors as were asked for. */
  readonly threshold: number;
  /** Pairs that it rests on; 0 = the embedder's own default. */
  readonly pairs: number;
  /** Cosines of unrelated pairs. */
  readonly median: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

interface Quantiles {
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
}

export class Calibration {
  readonly #default: number;
  readonly #similarities: number[] = [];
  #next = 0;
  #quantiles: Quantiles | null = null;

  constructor(defaultThreshold: number) {
    this.#default = defaultThreshold;
  }

  /** Of two prompts that share no passage. */
  record(similarity: number): void {
    this.#similarities[this.#next] = similarity;
    this.#next = (this.#next + 1) % REMEMBERED;
    this.#quantiles = null;
  }

  /**
   * A prompt is compared with all donors of its scope, so far fewer pairs than prompts may lie above. So far out the
   * tail is taken for exponential: each tenth of the pairs lies as far behind as the 99th percentile behind the 90th.
   */
  threshold(donors: number): number {
    const quantiles = this.#compute();
    if (!quantiles) return this.#default;
    const { p90, p99 } = quantiles;
    const tenths = Math.max(0, Math.log10(Math.max(1, donors) / BY_CHANCE) - 2);
    return Math.min(HIGHEST, Math.max(LOWEST, p99 + tenths * (p99 - p90)));
  }

  state(donors: number): CalibrationState {
    const quantiles = this.#compute();
    return {
      threshold: this.threshold(donors),
      pairs: quantiles ? this.#similarities.length : 0,
      median: quantiles?.median ?? null,
      p90: quantiles?.p90 ?? null,
      p99: quantiles?.p99 ?? null,
    };
  }

  #compute(): Quantiles | null {
    if (this.#similarities.length < NEEDED) return null;
    if (this.#quantiles) return this.#quantiles;
    const sorted = [...this.#similarities].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
    return (this.#quantiles = { median: at(0.5), p90: at(0.9), p99: at(0.99) });
  }
}
