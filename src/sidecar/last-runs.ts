// What really happened to a prompt the last time: so that `explain` can set the measured time beside the
// predicted one. By hash; no text and no tokens are kept.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export interface LastRun {
  readonly outcome: string;
  readonly reason: string;
  readonly ttftMs: number;
  /** Of it, the wait for a prompt under way. */
  readonly waitedMs: number;
}

const REMEMBERED = 1_000;

const keyOf = (scope: string, tokens: Int32Array): string =>
  createHash('sha256').update(`${scope.length}:${scope}`).update(tokens).digest('base64');

export class LastRuns {
  readonly #runs = new LRUCache<string, LastRun>({ max: REMEMBERED });

  record(scope: string, tokens: Int32Array, run: LastRun): void {
    this.#runs.set(keyOf(scope, tokens), run);
  }

  get(scope: string, tokens: Int32Array): LastRun | null {
    return this.#runs.get(keyOf(scope, tokens)) ?? null;
  }
}
