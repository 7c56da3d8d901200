// The ways a request ends before its answer does: the client leaves, or its time is over. Both abort the
// runner within one step; only the second is told to anybody.
import type { Response } from 'express';
import { KvShareError } from '../errors.ts';

export interface Ending {
  readonly signal: AbortSignal;
  /** The error that the client should see for whatever was thrown. */
  explain(error: unknown): unknown;
  done(): void;
}

export class Endings {
  readonly #deadlineMs: number;

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  start(response: Response): Ending {
    const abort = new AbortController();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      abort.abort();
    }, this.#deadlineMs);
    const onClose = (): void => {
      if (!response.writableFinished) abort.abort();
    };
    response.on('close', onClose);
    return {
      signal: abort.signal,
      explain: (error) =>
        late
          ? new KvShareError('request_timeout', `No answer within ${this.#deadlineMs} ms.`)
          : error,
      done: () => {
        clearTimeout(timer);
        response.off('close', onClose);
      },
    };
  }
}
