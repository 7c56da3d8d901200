// Work that nobody waits for: it runs when no request is inside, one piece at a time, and gives way as soon as one
// comes in. What is interrupted is tried again; where traffic never pauses it runs beside requests, for a small share
// of the time.
import type { Log } from '../telemetry/index.ts';
import type { Admission } from './admission.ts';

export interface IdleJob {
  /** For the log. */
  readonly what: string;
  /** Whose work it is: nobody fills the queue alone while others wait for a place. */
  readonly tenant: string | null;
  /** Ends soon after the signal aborts; true = done with, false = try again. */
  run(signal: AbortSignal): Promise<boolean>;
}

/** More need not wait: traffic brings new ones. */
const MAX_WAITING = 8;
const MOST_TRIES = 3;
const DEADLINE_MS = 60_000;
/** Waited for so long, a job no longer needs an idle moment. */
const PATIENCE_MS = 30_000;
/** Share of the time that such jobs may take. */
const BUSY_SHARE = 0.02;

/** Whether a job was ended by the clock, not because it had to give way. */
export const isOutOfTime = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && (reason as Error).name === 'TimeoutError';

export interface IdleWorkOptions {
  readonly admission: Admission;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The most that one job may take at a time. */
  readonly deadlineMs?: number;
}

interface Waiting {
  readonly job: IdleJob;
  readonly since: number;
  tries: number;
}

interface Running {
  readonly stop: AbortController;
  readonly givesWay: boolean;
  readonly done: Promise<void>;
}

export class IdleWork {
  readonly #options: IdleWorkOptions;
  readonly #deadlineMs: number;
  #waiting: Waiting[] = [];
  #running: Running | null = null;
  /** When the next job may run beside requests. */
  #notBefore = 0;
  #closed = false;

  constructor(options: IdleWorkOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /** False = too much is waiting already. */
  add(job: IdleJob): boolean {
    if (this.#closed || !this.#hasRoomFor(job.tenant)) return false;
    this.#waiting.push({ job, since: this.#options.now(), tries: 0 });
    return true;
  }

  /** Call when a request comes in that needs the runner. */
  giveWay(): void {
    if (this.#running?.givesWay) this.#running.stop.abort();
  }

  /** Call when somebody has left. */
  resume(): void {
    const first = this.#waiting[0];
    if (this.#closed || this.#running || !first) return;
    const givesWay = !this.#mayRunBusy(first);
    if (givesWay && this.#options.admission.inside > 0) return;
    this.#waiting.shift();
    const stop = new AbortController();
    const done = this.#run(first, stop.signal, givesWay).finally(() => {
      this.#running = null;
      this.resume();
    });
    this.#running = { stop, givesWay, done };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting = [];
    this.#running?.stop.abort();
    await this.#running?.done;
  }

  /** Whoever has most waiting gives one up to somebody who has clearly less. */
  #hasRoomFor(tenant: string | null): boolean {
    if (this.#waiting.length < MAX_WAITING) return true;
    const of = (one: string | null) => this.#waiting.filter(({ job }) => job.tenant === one);
    const [most] = this.#waiting
      .map(({ job }) => of(job.tenant))
      .sort((a, b) => b.length - a.length);
    if (!most || most.length <= of(tenant).length + 1) return false;
    this.#waiting.splice(this.#waiting.indexOf(most.at(-1)!), 1);
    return true;
  }

  #mayRunBusy({ since }: Waiting): boolean {
    const now = this.#options.now();
    return now - since > PATIENCE_MS && now >= this.#notBefore;
  }

  async #run(waiting: Waiting, stop: AbortSignal, givesWay: boolean): Promise<void> {
    const { log, now } = this.#options;
    const start = now();
    const { what } = waiting.job;
    const signal = AbortSignal.any([stop, AbortSignal.timeout(this.#deadlineMs)]);
    let isDone: boolean;
    try {
      isDone = await waiting.job.run(signal);
    } catch (error) {
      isDone = !stop.aborted;
      const { name, code } = error as Error & { code?: unknown };
      if (!signal.aborted) log.warn({ name, code, what }, 'work in an idle moment failed');
    }
    if (isOutOfTime(signal)) log.warn({ what }, 'work in an idle moment took too long');
    // Giving way is no failed try.
    if (!stop.aborted) waiting.tries++;
    if (!isDone && waiting.tries < MOST_TRIES && !this.#closed) this.#waiting.unshift(waiting);
    if (!givesWay) this.#notBefore = now() + (now() - start) / BUSY_SHARE;
  }
}
