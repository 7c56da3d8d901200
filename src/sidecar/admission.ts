// A bounded number of requests inside; the next one is told to come back instead of waiting unseen.
import { KvShareError } from '../errors.ts';

export class Admission {
  readonly #limit: number;
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get inside(): number {
    return this.#inside;
  }

  /** Throws `queue_full`; otherwise call the result once when the request is over. */
  enter(): () => void {
    if (this.#inside >= this.#limit) {
      throw new KvShareError('queue_full', `${this.#limit} requests are being served; try later.`);
    }
    this.#inside++;
    return () => {
      this.#inside--;
    };
  }
}
