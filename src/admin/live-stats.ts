// Numbers of the running process for people who look: since the start, of the last minute, and the newest times to the
// first token. Adding a request costs a few sums, whatever the traffic; percentiles are taken when somebody asks.
import type { ServedRequest } from '../sidecar/index.ts';

const WINDOW_SECONDS = 60;
const TIMES_KEPT = 1_000;

interface Sums {
  requests: number;
  promptTokens: number;
  savedTokens: number;
}

interface Second extends Sums {
  /** Whole seconds. */
  at: number;
}

export interface Times {
  readonly count: number;
  readonly p50: number | null;
  readonly p95: number | null;
}

const empty = (): Sums => ({ requests: 0, promptTokens: 0, savedTokens: 0 });

const shareOf = ({ promptTokens, savedTokens }: Sums): number | null =>
  promptTokens === 0 ? null : savedTokens / promptTokens;

function add(sums: Sums, promptTokens: number, savedTokens: number): void {
  sums.requests++;
  sums.promptTokens += promptTokens;
  sums.savedTokens += savedTokens;
}

/** The newest so many numbers. */
class Newest {
  readonly #values: number[] = [];
  #next = 0;

  add(value: number): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % TIMES_KEPT;
  }

  get times(): Times {
    const sorted = [...this.#values].sort((a, b) => a - b);
    const at = (share: number): number | null =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
    return { count: sorted.length, p50: at(0.5), p95: at(0.95) };
  }
}

export class LiveStats {
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #total = empty();
  readonly #tokens = { exact: 0, imported: 0, recomputed: 0 };
  readonly #outcomes = { cold: 0, exact: 0, reused: 0 };
  readonly #routes = new Map<string, Sums>();
  readonly #seconds: Second[] = [];
  readonly #reuse = new Newest();
  readonly #cold = new Newest();

  /** Monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  add({ provenance, promptTokens, route, ttftMs }: ServedRequest): void {
    const { outcome, receipt } = provenance;
    const saved = Math.max(0, promptTokens - receipt.recomputedTokens);
    const sums = this.#routes.get(route) ?? empty();
    this.#routes.set(route, sums);
    for (const each of [this.#total, sums, this.#second()]) add(each, promptTokens, saved);
    this.#outcomes[outcome]++;
    this.#tokens.exact += receipt.exactTokens;
    this.#tokens.recomputed += receipt.recomputedTokens;
    // What was imported and then computed afresh saved nothing.
    this.#tokens.imported += Math.max(0, saved - receipt.exactTokens);
    if (ttftMs !== null) (outcome === 'cold' ? this.#cold : this.#reuse).add(ttftMs);
  }

  get snapshot() {
    const minute = empty();
    const oldest = this.#clock() - WINDOW_SECONDS;
    for (const { at, requests, promptTokens, savedTokens } of this.#seconds) {
      if (at <= oldest) continue;
      minute.requests += requests;
      minute.promptTokens += promptTokens;
      minute.savedTokens += savedTokens;
    }
    const lasted = Math.min(WINDOW_SECONDS, Math.max(1, (this.#now() - this.#startedAt) / 1_000));
    return {
      uptimeSeconds: Math.round((this.#now() - this.#startedAt) / 1_000),
      requests: { total: this.#total.requests, ...this.#outcomes },
      requestsPerSecond: minute.requests / lasted,
      hitRate: { total: shareOf(this.#total), lastMinute: shareOf(minute) },
      promptTokens: { total: this.#total.promptTokens, ...this.#tokens },
      savedTokens: this.#total.savedTokens,
      ttftMs: { reuse: this.#reuse.times, cold: this.#cold.times },
      routes: [...this.#routes].map(([route, sums]) => ({
        route,
        requests: sums.requests,
        hitRate: shareOf(sums),
      })),
    };
  }

  #clock(): number {
    return Math.floor(this.#now() / 1_000);
  }

  #second(): Second {
    const at = this.#clock();
    const last = this.#seconds.at(-1);
    if (last?.at === at) return last;
    const fresh = { at, ...empty() };
    this.#seconds.push(fresh);
    if (this.#seconds.length > WINDOW_SECONDS) this.#seconds.shift();
    return fresh;
  }
}
