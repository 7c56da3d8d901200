// The ways a request ends before its answer does: the client leaves, its time is over, or the server has to go. All
// abort the runner within one step; all but the first are told to the client.
import type { ServerResponse } from 'node:http';
import { KvShareError } from '../errors.ts';
import { ConnectionEnds } from './connection-ends.ts';

export interface Ending {
  readonly signal: AbortSignal;
  /** The error that the client should see for whatever was thrown. */
  explain(error: unknown): unknown;
  done(): void;
}

export class Endings {
  readonly #deadlineMs: number;
  readonly #connections = new ConnectionEnds();
  readonly #running = new Set<(why: KvShareError) => void>();

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs;
  }

  start(response: ServerResponse): Ending {
    const abort = new AbortController();
    let reason: KvShareError | null = null;
    const end = (why: KvShareError): void => {
      reason = why;
      abort.abort();
    };
    const timer = setTimeout(() => {
      end(new KvShareError('request_timeout', `No answer within ${this.#deadlineMs} ms.`));
    }, this.#deadlineMs);
    const onClose = (): void => {
      if (!response.writableFinished) abort.abort();
    };
    // Gone while something before us was busy.
    if (response.destroyed) onClose();
    response.on('close', onClose);
    const forget = this.#connections.watch(response.req.socket, onClose);
    this.#running.add(end);
    return {
      signal: abort.signal,
      explain: (error) => reason ?? error,
      done: () => {
        clearTimeout(timer);
        response.off('close', onClose);
        forget();
        this.#running.delete(end);
      },
    };
  }

  /** Nobody gets more time. */
  endAll(): void {
    const why = new KvShareError('shutting_down', 'This server had to stop before the answer did.');
    for (const end of [...this.#running]) end(why);
  }
}
