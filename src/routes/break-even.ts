// Whether reuse pays for a tenant on a route, learned from its receipts: milliseconds saved against what a cold prefill
// would have taken, by prompt length, as a running median. Where it loses, plans stop; now and then one is tried
// again, so that they come back when the machine or the traffic changes. What one tenant asks slows no other down.
import { LRUCache } from 'lru-cache';

/** Samples of one route and length that are remembered. */
const REMEMBERED = 32;
/** Nothing is concluded from fewer. */
const NEEDED = 8;
/** Tenants times routes, the last used. */
const MOST_KEPT = 1_000;
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

  /** What `mayTry` will say next. */
  get wouldTry(): boolean {
    return !this.paused || (this.#asked + 1) % PROBE_EVERY === 0;
  }

  mayTry(): boolean {
    const answer = this.wouldTry;
    if (this.paused) this.#asked++;
    return answer;
  }
}

/** Whose requests, where. */
export interface BreakEvenKey {
  readonly route: string;
  readonly tenant: string | null;
}

export interface BreakEvenState {
  /** Prompts of this many tokens up to twice as many. */
  readonly fromTokens: number;
  readonly samples: number;
  readonly medianSavedMs: number | null;
  readonly paused: boolean;
}

const idOf = ({ route, tenant }: BreakEvenKey): string => JSON.stringify([route, tenant]);

export class BreakEven {
  readonly #meters = new LRUCache<string, Map<number, Meter>>({ max: MOST_KEPT });

  /** Whether reuse should be planned; counts as a request while it is paused. */
  mayTry(key: BreakEvenKey, promptTokens: number): boolean {
    return this.#meterOf(key, promptTokens)?.mayTry() ?? true;
  }

  /** What the next request will be told; a dry run must not take the probe away from it. */
  wouldTry(key: BreakEvenKey, promptTokens: number): boolean {
    return this.#meterOf(key, promptTokens)?.wouldTry ?? true;
  }

  /** Null when nothing was recorded. */
  stateOf(key: BreakEvenKey, promptTokens: number): BreakEvenState | null {
    const meter = this.#meterOf(key, promptTokens);
    if (!meter) return null;
    const { samples, medianMs, paused } = meter;
    const fromTokens = 2 ** bucketOf(promptTokens);
    return { fromTokens, samples, medianSavedMs: medianMs, paused };
  }

  record(key: BreakEvenKey, { promptTokens, savedMs }: SavingSample): void {
    const id = idOf(key);
    let buckets = this.#meters.get(id);
    if (!buckets) this.#meters.set(id, (buckets = new Map<number, Meter>()));
    const bucket = bucketOf(promptTokens);
    let meter = buckets.get(bucket);
    if (!meter) buckets.set(bucket, (meter = new Meter()));
    meter.record(savedMs);
  }

  #meterOf(key: BreakEvenKey, promptTokens: number): Meter | null {
    return this.#meters.get(idOf(key))?.get(bucketOf(promptTokens)) ?? null;
  }
}
