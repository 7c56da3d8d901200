// A bounded number of requests inside; the next one is told to come back instead of waiting unseen. When the door is
// closed nobody new gets in, and whoever is inside finishes.
import { KvShareError } from '../errors.ts';

export class Admission {
  readonly #limit: number;
  readonly #waiters: (() => void)[] = [];
  #inside = 0;
  /** Told whenever somebody has left. */
  onLeave: () => void = () => undefined;
  #isClosed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get inside(): number {
    return this.#inside;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Throws `shutting_down` or `queue_full`; otherwise call the result once when the request is over. */
  enter(): () => void {
    this.checkRoom();
    this.#inside++;
    return () => {
      this.#inside--;
      this.onLeave();
      if (this.#inside === 0) for (const resolve of this.#waiters.splice(0)) resolve();
    };
  }

  /** Throws `shutting_down` once the door is closed. */
  checkOpen(): void {
    if (!this.#isClosed) return;
    throw new KvShareError('shutting_down', 'This server is shutting down; ask another one.');
  }

  /** Throws `shutting_down` or `queue_full`: whoever could not get in now need not send more. */
  checkRoom(): void {
    this.checkOpen();
    if (this.#inside < this.#limit) return;
    throw new KvShareError('queue_full', `${this.#limit} requests are being served; try later.`);
  }

  /** From now on nobody gets in. */
  close(): void {
    this.#isClosed = true;
  }

  /** Resolves when nobody is inside. */
  async empty(): Promise<void> {
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }
}
