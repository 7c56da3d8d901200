// The longest prefix that a target has in common with the exactly computed part of any donor: a chain of
// prefix hashes at block boundaries finds the deepest shared block, comparison finds the rest.
import type { Donor, PrefixMatch } from '../kv/index.ts';
import { BLOCK, TokenHash } from './token-hash.ts';

export function commonPrefix(a: Int32Array, b: Int32Array, limit: number): number {
  let length = 0;
  const end = Math.min(a.length, b.length, limit);
  while (length < end && a[length] === b[length]) length++;
  return length;
}

/** Keys of tokens[0, 16), [0, 32), … within `length`. */
function prefixKeys(tokens: Int32Array, length: number): number[] {
  const keys: number[] = [];
  const hash = new TokenHash();
  for (let i = 0; i < length; i++) {
    hash.add(tokens[i]!);
    if ((i + 1) % BLOCK === 0) keys.push(hash.key);
  }
  return keys;
}

export class PrefixIndex {
  /** Insertion order = age; later donors win ties. */
  readonly #all = new Set<Donor>();
  readonly #buckets = new Map<number, Set<Donor>>();

  add(donor: Donor): void {
    this.#all.add(donor);
    for (const key of prefixKeys(donor.tokens, donor.exactTokens)) {
      const bucket = this.#buckets.get(key);
      if (bucket) bucket.add(donor);
      else this.#buckets.set(key, new Set([donor]));
    }
  }

  remove(donor: Donor): void {
    this.#all.delete(donor);
    for (const key of prefixKeys(donor.tokens, donor.exactTokens)) {
      const bucket = this.#buckets.get(key);
      bucket?.delete(donor);
      if (bucket?.size === 0) this.#buckets.delete(key);
    }
  }

  longest(target: Int32Array): PrefixMatch | null {
    let candidates = this.#all;
    for (const key of prefixKeys(target, target.length)) {
      const deeper = this.#buckets.get(key);
      if (!deeper) break;
      candidates = deeper;
    }
    let best: PrefixMatch | null = null;
    for (const donor of candidates) {
      const length = commonPrefix(target, donor.tokens, donor.exactTokens);
      if (length > 0 && length >= (best?.length ?? 0)) best = { donor, length };
    }
    return best;
  }

  get entries(): number {
    let entries = this.#all.size;
    for (const bucket of this.#buckets.values()) entries += bucket.size;
    return entries;
  }
}
