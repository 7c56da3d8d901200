// Single flight: a prompt whose best donor is being prefilled right now waits for it, instead of computing the
// same tokens a second time. Prompts under way are kept in an index of their own, with the scopes of the stored
// ones: what another scope computes cannot be seen, nor waited for.
//
// Whoever waits is not in the index: nobody waits for a waiter, so there are no chains and no deadlock. Each
// wait ends when its donor is stored or has ended, or when twice its expected time is over.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Candidates } from '../kv/index.ts';
import { DonorIndex, type DonorQuery } from '../match/index.ts';
import type { ReusePlan } from '../protocol/index.ts';
import type { FlightResult } from '../telemetry/index.ts';

/** No request waits longer than this in all, whatever it waits for. */
const MAX_WAIT_MS = 20_000;
/** The runner also decodes for others meanwhile. */
const PATIENCE = 2;
const LEAST_WAIT_MS = 100;

export interface FlightPrompt {
  readonly scope: string;
  readonly tokens: Int32Array;
  readonly plan: ReusePlan | null;
  /** Milliseconds of prefill, by the runner's speeds. */
  readonly predictedMs: number;
}

/** A prompt that is being computed and will be stored. */
export interface Flight {
  /** When its first token is due. */
  readonly expectedAt: number;
  readonly landed: Promise<'stored' | 'failed'>;
  /** Call when it is stored, and when it is over; only the first call counts. */
  land(result: 'stored' | 'failed'): void;
}

/** What others may use of it: a token computed over approximate KV serves nobody else. */
const exactTokensOf = ({ plan, tokens }: FlightPrompt): number =>
  plan?.imports.find(({ exact }) => !exact)?.targetStart ?? tokens.length;

export class SingleFlight {
  readonly #index = new DonorIndex();
  readonly #flights = new Map<string, Flight & { readonly scope: string }>();
  readonly #now: () => number;
  #started = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  start(prompt: FlightPrompt): Flight {
    const { scope, tokens } = prompt;
    // Not the request's id: clients choose those, and two tenants may choose the same.
    const id = `flight-${this.#started++}`;
    let resolve: (result: 'stored' | 'failed') => void = () => undefined;
    const landed = new Promise<'stored' | 'failed'>((done) => (resolve = done));
    const land = (result: 'stored' | 'failed'): void => {
      this.#index.remove(id);
      this.#flights.delete(id);
      resolve(result);
    };
    const flight = { scope, expectedAt: this.#dueAt(prompt), landed, land };
    this.#flights.set(id, flight);
    this.#index.add({
      segment: id,
      scope,
      owner: null,
      tokens,
      exactTokens: exactTokensOf(prompt),
      promptTokens: tokens.length,
      storedAt: Infinity,
    });
    return flight;
  }

  /** As if the prompts under way were stored already. */
  candidates(query: DonorQuery, minRun: number): Candidates {
    return this.#index.candidates(query, minRun);
  }

  /** Of the prompts that a plan would import from, the one that is due last; null = all have landed. */
  lastOf(plan: ReusePlan | null): Flight | null {
    const flights = (plan?.imports ?? []).flatMap(
      ({ segment }) => this.#flights.get(segment) ?? [],
    );
    return flights.sort((a, b) => b.expectedAt - a.expectedAt)[0] ?? null;
  }

  /** `startedAt`: when the request began to wait for anybody. */
  async wait(flight: Flight, startedAt: number, signal: AbortSignal): Promise<FlightResult> {
    const now = this.#now();
    const expected = Math.max(LEAST_WAIT_MS, PATIENCE * (flight.expectedAt - now));
    const ms = Math.min(expected, startedAt + MAX_WAIT_MS - now);
    if (ms <= 0) return 'timeout';
    const stop = new AbortController();
    const timer = sleep(ms, 'timeout' as const, { signal: AbortSignal.any([signal, stop.signal]) });
    try {
      return await Promise.race([flight.landed, timer.catch(() => 'cancelled' as const)]);
    } finally {
      stop.abort();
    }
  }

  /** The runner takes one prompt after the other; only the own scope's are counted. */
  #dueAt({ scope, predictedMs }: FlightPrompt): number {
    let from = this.#now();
    for (const flight of this.#flights.values()) {
      if (flight.scope === scope) from = Math.max(from, flight.expectedAt);
    }
    return from + predictedMs;
  }
}
