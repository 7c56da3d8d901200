// The sidecar's standing connection to its runner: who it is, and what its store holds. A new generation
// means that every earlier donor is gone; a lost connection is tried again with backoff, for ever.
import { setTimeout as sleep } from 'node:timers/promises';
import { KvShareError } from '../errors.ts';
import type { Donor } from '../kv/index.ts';
import type { Runner, RunnerInfo, StoredContext } from '../protocol/index.ts';
import type { Log } from '../telemetry/index.ts';
import type { Deletions } from './deletions.ts';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
/** The runner's measured speeds drift with its load; break-even should follow. */
const REFRESH_MS = 5_000;

/** Who keeps track of what the runner has stored. */
export interface DonorKeeper {
  add(donor: Donor): void;
  /** Of a segment that may not be known. */
  remove(segment: string): void;
  clear(): void;
}

export interface RunnerLinkOptions {
  readonly runner: Runner;
  readonly donors: DonorKeeper;
  /** What must not become a donor again. */
  readonly deletions: Deletions;
  readonly log: Log;
  readonly now: () => number;
  readonly onEvicted: (segments: readonly string[]) => void;
}

export class RunnerLink {
  readonly #runner: Runner;
  readonly #donors: DonorKeeper;
  readonly #deletions: Deletions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #onEvicted: RunnerLinkOptions['onEvicted'];
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  readonly #refreshing: NodeJS.Timeout;
  #info: RunnerInfo | null = null;
  #announceFirst: () => void = () => undefined;
  #wasReached = false;
  /** Resolves when the runner has been reached once. */
  readonly reached = new Promise<void>((resolve) => (this.#announceFirst = resolve));

  constructor({ runner, donors, deletions, log, now, onEvicted }: RunnerLinkOptions) {
    this.#onEvicted = onEvicted;
    this.#runner = runner;
    this.#now = now;
    this.#donors = donors;
    this.#deletions = deletions;
    this.#log = log;
    this.#following = this.#follow();
    this.#refreshing = setInterval(() => void this.#refresh(), REFRESH_MS).unref();
  }

  /** What the runner last said of itself; throws `runner_unavailable` while nobody answers. */
  get info(): RunnerInfo {
    if (this.#info) return this.#info;
    throw new KvShareError(
      'runner_unavailable',
      'The model runner is not reachable at the moment.',
    );
  }

  get connected(): boolean {
    return this.#info !== null;
  }

  /** Whether it is known what the runner has, or had when it was last reached. */
  get wasReached(): boolean {
    return this.#wasReached;
  }

  /** The runner says that these are gone; an eviction may have overtaken the news that they were stored. */
  forget(segments: readonly string[]): void {
    for (const segment of segments) this.#donors.remove(segment);
  }

  remember(context: StoredContext, storedAt = this.#now()): void {
    this.#donors.add({ ...context, tokens: Int32Array.from(context.tokens), storedAt });
  }

  async close(): Promise<void> {
    clearInterval(this.#refreshing);
    this.#stop.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const stopped = (): boolean => signal.aborted;
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopped()) {
      const wasReached = await this.#listen(signal);
      this.#info = null;
      if (wasReached) backoffMs = FIRST_BACKOFF_MS;
      if (wasReached && !stopped()) this.#log.warn({}, 'the connection to the runner was lost');
      await sleep(backoffMs, undefined, { signal }).catch(() => undefined);
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
    }
  }

  async #refresh(): Promise<void> {
    const known = this.#info;
    const info = known && (await this.#runner.info().catch(() => null));
    if (!info || this.#info !== known || info.generation !== known.generation) return;
    this.#info = info;
    this.#delete(info);
  }

  #delete({ capabilities }: RunnerInfo): void {
    if (capabilities.storeControl) void this.#deletions.retry();
  }

  /** Until the connection ends; whether there was one. */
  async #listen(signal: AbortSignal): Promise<boolean> {
    try {
      for await (const event of this.#runner.watch(signal)) {
        if (event.type === 'hello') await this.#greet(event.generation, event.contexts);
        else {
          this.forget(event.segments);
          this.#deletions.confirm(event.segments);
          this.#onEvicted(event.segments);
        }
      }
    } catch (error) {
      this.#log.debug({ code: (error as { code?: unknown }).code }, 'no connection to the runner');
    }
    return this.#info !== null;
  }

  async #greet(generation: string, contexts: readonly StoredContext[]): Promise<void> {
    // Whatever happened while nobody listened, the list is what is there now.
    this.#donors.clear();
    const admitted = this.#deletions.admit(generation, contexts);
    for (const context of admitted) this.remember(context, -Infinity);
    this.#info = await this.#runner.info();
    this.#delete(this.#info);
    this.#wasReached = true;
    this.#announceFirst();
    this.#log.info({ generation, donors: admitted.length }, 'connected to the runner');
  }
}
