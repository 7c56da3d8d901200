// Whether reuse pays on a route, learned from receipts: milliseconds saved against what a cold prefill would
// have taken, by prompt length, as a running median. Where it loses, plans stop; now and then one is tried
// again, so that a route comes back when the machine or the traffic changes.

/** Samples of one route and length that are remembered. */
const REMEMBERED = 32;
/** Nothing is concluded from fewer. */
const NEEDED = 8;
/** While paused, every so many requests one is planned all the same. */
const PROBE_EVERY = 20;

export interface SavingSample {
  readonly promptTokens: number;
  /** Predicted time of a cold prefill minus look-up, import and recompute as they really were. */
  readonly savedMs: number;
}

/** Prompt lengths within a factor of two share their samples. */
const bucketOf = (promptTokens: number): number => Math.floor(Math.log2(Math.max(1, promptTokens)));

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

class Meter {
  readonly #saved: number[] = [];
  #asked = 0;

  record(savedMs: number): void {
    this.#saved.push(savedMs);
    if (this.#saved.length > REMEMBERED) this.#saved.shift();
  }

  get samples(): number {
    return this.#saved.length;
  }

  /** Null while nothing can be said. */
  get medianMs(): number | null {
    return this.#saved.length < NEEDED ? null : median(this.#saved);
  }

  get paused(): boolean {
    return (this.medianMs ?? 0) < 0;
  }

  mayTry(): boolean {
    return !this.paused || ++this.#asked % PROBE_EVERY === 0;
  }
}

export interface BreakEvenState {
  readonly route: string;
  /** Prompts of this many tokens up to twice as many. */
  readonly fromTokens: number;
  readonly samples: number;
  readonly medianSavedMs: number | null;
  readonly paused: boolean;
}

export class BreakEven {
  readonly #meters = new Map<string, Map<number, Meter>>();

  /** Whether reuse should be planned; counts as a request while the route is paused. */
  mayTry(route: string, promptTokens: number): boolean {
    return this.#meters.get(route)?.get(bucketOf(promptTokens))?.mayTry() ?? true;
  }

  /** Null when nothing was recorded. */
  stateOf(route: string, promptTokens: number): BreakEvenState | null {
    const bucket = bucketOf(promptTokens);
    return this.states().find((s) => s.route === route && s.fromTokens === 2 ** bucket) ?? null;
  }

  record(route: string, { promptTokens, savedMs }: SavingSample): void {
    let buckets = this.#meters.get(route);
    if (!buckets) this.#meters.set(route, (buckets = new Map<number, Meter>()));
    const bucket = bucketOf(promptTokens);
    let meter = buckets.get(bucket);
    if (!meter) buckets.set(bucket, (meter = new Meter()));
    meter.record(savedMs);
  }

  states(): BreakEvenState[] {
    return [...this.#meters].flatMap(([route, buckets]) =>
      [...buckets].map(([bucket, meter]) => ({
        route,
        fromTokens: 2 ** bucket,
        samples: meter.samples,
        medianSavedMs: meter.medianMs,
        paused: meter.paused,
      })),
    );
  }
}
