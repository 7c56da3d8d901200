// Opening takes a moment, and a download the first time. Requests that come meanwhile wait for it, some of them, for a
// while; an opening that failed is tried again. Once it is told to close, nobody is let in or waits.
import { setTimeout as sleep } from 'node:timers/promises';
import { KvShareError } from '../errors.ts';
import type { SidecarCore } from '../sidecar/index.ts';
import type { Log } from '../telemetry/index.ts';

const PATIENCE_MS = 30_000;
const MAX_WAITING = 64;
const RETRY_MS = 5_000;

export class Startup {
  readonly #open: () => Promise<SidecarCore>;
  readonly #log: Log;
  #opening: Promise<SidecarCore>;
  #core: SidecarCore | null = null;
  #failedAt: number | null = null;
  #waiting = 0;
  readonly #closed = new AbortController();

  constructor(open: () => Promise<SidecarCore>, log: Log) {
    this.#open = open;
    this.#log = log;
    this.#opening = this.#start();
  }

  /** Null until it is open. */
  get core(): SidecarCore | null {
    return this.#core;
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  /** Rejects with what went wrong. */
  async opened(): Promise<SidecarCore> {
    const failedAt = this.#failedAt;
    if (failedAt !== null && !this.isClosed && performance.now() - failedAt > RETRY_MS) {
      this.#opening = this.#start();
    }
    return this.#opening;
  }

  /** For a request: throws `shutting_down`, `runner_unavailable` or `queue_full`, and says no more to its sender. */
  async wait(): Promise<SidecarCore> {
    this.#checkOpen();
    if (this.#core) return this.#core;
    if (this.#waiting >= MAX_WAITING) {
      throw new KvShareError('queue_full', `${MAX_WAITING} requests wait already; try later.`);
    }
    this.#waiting++;
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#closed.signal]);
    const late = sleep(PATIENCE_MS, null, { signal }).catch(() => null);
    const core = await Promise.race([this.opened().catch(() => null), late]);
    done.abort();
    this.#waiting--;
    this.#checkOpen();
    if (core) return core;
    throw new KvShareError('runner_unavailable', 'KVShare is not ready yet.');
  }

  /** Answers under way get so long. */
  async close(graceMs: number): Promise<void> {
    this.#closed.abort();
    const ended = this.#opening.then(
      async (core) => {
        await core.drain(graceMs);
        await core.close();
        this.#core = null;
      },
      () => undefined,
    );
    // What is still being opened, a download perhaps, is let go of when it is there.
    await (this.#core ? ended : Promise.race([ended, sleep(graceMs, undefined, { ref: false })]));
  }

  #checkOpen(): void {
    if (!this.isClosed) return;
    throw new KvShareError('shutting_down', 'KVShare is being closed here; ask another server.');
  }

  #start(): Promise<SidecarCore> {
    this.#failedAt = null;
    const opening = this.#open().then(
      (core) => {
        this.#core = core;
        return core;
      },
      (error: unknown) => {
        this.#failedAt = performance.now();
        const { name, message } = error as Error;
        this.#log.error({ name, problem: message }, 'KVShare could not get ready');
        throw error;
      },
    );
    // Whoever asks for it gets the error; nobody has to.
    opening.catch(() => undefined);
    return opening;
  }
}
