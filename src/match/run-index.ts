// Equal token runs at any position: donors are hashed block by block, the target at every position, so a
// run of at least 2 * BLOCK - 1 tokens always contains a hashed block of the donor (KVShare v2: rolling
// hash over runs of variable length). Time is linear in the target: a bucket is looked through only as
// far as its newest few entries, since older copies of a popular passage add nothing.
import type { Donor, EqualRun } from '../kv/index.ts';
import { BLOCK, blockKey } from './token-hash.ts';

interface Anchor {
  readonly donor: Donor;
  readonly position: number;
}

/** Newest entries of a bucket that are compared. */
const SCAN = 8;

export class RunIndex {
  readonly #buckets = new Map<number, Anchor[]>();
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  add(donor: Donor): void {
    for (let position = 0; position + BLOCK <= donor.exactTokens; position += BLOCK) {
      const key = blockKey(donor.tokens, position);
      const bucket = this.#buckets.get(key);
      if (bucket) bucket.push({ donor, position });
      else this.#buckets.set(key, [{ donor, position }]);
      this.#entries++;
    }
  }

  remove(donor: Donor): void {
    for (let position = 0; position + BLOCK <= donor.exactTokens; position += BLOCK) {
      const key = blockKey(donor.tokens, position);
      const bucket = this.#buckets.get(key) ?? [];
      const left = bucket.filter((anchor) => anchor.donor !== donor);
      this.#entries -= bucket.length - left.length;
      if (left.length > 0) this.#buckets.set(key, left);
      else this.#buckets.delete(key);
    }
  }

  /** Maximal equal runs of at least `minRun` (>= 2 * BLOCK - 1) tokens, in order of target position. */
  find(target: Int32Array, minRun: number): EqualRun[] {
    const runs: EqualRun[] = [];
    // Where the last run on a diagonal (donor, donorStart - targetStart) ends: one run is found once.
    const done = new Map<Donor, Map<number, number>>();
    for (let at = 0; at + BLOCK <= target.length; at++) {
      const bucket = this.#buckets.get(blockKey(target, at));
      if (!bucket) continue;
      const oldest = Math.max(0, bucket.length - SCAN);
      for (let i = bucket.length - 1; i >= oldest; i--) {
        const { donor, position } = bucket[i]!;
        const diagonals = done.get(donor) ?? new Map<number, number>();
        done.set(donor, diagonals);
        if ((diagonals.get(position - at) ?? 0) > at) continue;
        const run = extend(donor, target, position, at);
        diagonals.set(position - at, run.targetStart + run.length);
        if (run.length >= minRun) runs.push(run);
      }
    }
    return runs.sort((a, b) => a.targetStart - b.targetStart);
  }
}

/** The maximal run through donor.tokens[position] and target[at]; length 0 when the hash lied. */
function extend(donor: Donor, target: Int32Array, position: number, at: number): EqualRun {
  const { tokens, exactTokens } = donor;
  let right = 0;
  while (
    position + right < exactTokens &&
    at + right < target.length &&
    tokens[position + right] === target[at + right]
  ) {
    right++;
  }
  let left = 0;
  while (
    right > 0 &&
    position - left > 0 &&
    at - left > 0 &&
    tokens[position - left - 1] === target[at - left - 1]
  ) {
    left++;
  }
  return {
    donor,
    donorStart: position - left,
    targetStart: at - left,
    length: left + right,
  };
}
