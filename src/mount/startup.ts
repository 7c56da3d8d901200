// Opening takes a moment, and a download the first time. Requests that come meanwhile wait for it, some of them, for a
// while; an opening that failed is tried again.
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
  #closed = false;

  constructor(open: () => Promise<SidecarCore>, log: Log) {
    this.#open = open;
    this.#log = log;
    this.#opening = this.#start();
  }

  /** Null until it is open. */
  get core(): SidecarCore | null {
    return this.#core;
  }

  /** Rejects with what went wrong. */
  async opened(): Promise<SidecarCore> {
    const failedAt = this.#failedAt;
    if (failedAt !== null && !this.#closed && performance.now() - failedAt > RETRY_MS) {
      this.#opening = this.#start();
    }
    return this.#opening;
  }

  /** For a request: throws `runner_unavailable` or `queue_full`, and says no more to its sender. */
  async wait(): Promise<SidecarCore> {
    if (this.#closed) throw new KvShareError('runner_unavailable', 'KVShare has been closed.');
    if (this.#core) return this.#core;
    if (this.#waiting >= MAX_WAITING) {
      throw new KvShareError('queue_full', `${MAX_WAITING} requests wait already; try later.`);
    }
    this.#waiting++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), PATIENCE_MS);
    });
    const core = await Promise.race([this.opened().catch(() => null), late]);
    clearTimeout(timer);
    this.#waiting--;
    if (core && !this.#isClosed()) return core;
    throw new KvShareError('runner_unavailable', 'KVShare is not ready yet.');
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#opening.then(
      (core) => core.close(),
      () => undefined,
    );
    this.#core = null;
  }

  /** It may have happened while somebody waited. */
  #isClosed(): boolean {
    return this.#closed;
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
