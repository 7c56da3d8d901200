// Which beginnings of prompts are asked for again and again, yet stored only approximately because they were imported:
// such a beginning is worth one exact prefill when nobody waits; later prompts then go on from it, losing nothing.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ReusePlan } from '../protocol/index.ts';

/** Beginnings are compared at multiples of this many tokens. */
export const GRAIN = 64;
/** Asked for so often, a beginning is hot. */
const HOT = 2;
/** Beginnings that are remembered, over all scopes. */
const REMEMBERED = 4_096;

/** Hash of the scope and the tokens before each multiple of GRAIN up to `end`, shortest first. */
function chain(scope: string, tokens: Int32Array, end: number): string[] {
  const hashes: string[] = [];
  const hash = createHash('sha256').update(`${scope.length}:${scope}`);
  for (let at = GRAIN; at <= end; at += GRAIN) {
    hash.update(new Uint8Array(tokens.buffer, tokens.byteOffset + (at - GRAIN) * 4, GRAIN * 4));
    hashes.push(hash.copy().digest('base64url'));
  }
  return hashes;
}

export class HotPrefixes {
  readonly #seen = new LRUCache<string, number>({ max: REMEMBERED });

  /**
   * A prompt was served by this plan. How many of its first tokens are hot and approximate: more than are exact now,
   * and equal in an earlier prompt of the scope; 0 = none.
   */
  observe(scope: string, tokens: Int32Array, plan: ReusePlan): number {
    const approximate = plan.imports.filter(({ exact }) => !exact);
    const first = approximate[0]?.targetStart ?? tokens.length;
    const last = approximate.at(-1);
    // Behind the last import everything is the prompt's own: it is worth nothing to others.
    const end = last ? last.targetStart + last.length : 0;
    const hashes = chain(scope, tokens, end);
    let hot = 0;
    hashes.forEach((hash, i) => {
      const count = (this.#seen.get(hash) ?? 0) + 1;
      this.#seen.set(hash, count);
      const length = (i + 1) * GRAIN;
      if (count >= HOT && length > first) hot = length;
    });
    return hot;
  }

  /** It has been computed, or could not be: it has to become hot again. */
  forget(scope: string, tokens: Int32Array, length: number): void {
    for (const hash of chain(scope, tokens, length)) this.#seen.delete(hash);
  }
}
