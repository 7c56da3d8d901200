// Equal token runs at any position: donors are hashed block by block, the target at every position, so a
// run of at least 2 * BLOCK - 1 tokens always contains a hashed block of the donor (KVShare v2: rolling
// hash over runs of variable length). Time is linear in the target: of a popular passage only the newest
// copies are compared, and those of donors that serve this target already, since a plan from one donor
// can tell an edit from a move.
import type { Donor, EqualRun } from '../kv/index.ts';
import { RunSearch, type Anchor } from './run-search.ts';
import { BLOCK, blockKey } from './token-hash.ts';

export interface RunQuery {
  readonly target: Int32Array;
  /** >= 2 * BLOCK - 1. */
  readonly minRun: number;
  /** Only tokens from here on count: the exact prefix has served what is before. */
  readonly from: number;
  /** A donor that serves this target already. */
  readonly used: Donor | null;
}

/** Newest entries of a bucket that are compared, and as many of each used donor. */
const SCAN = 8;

export class RunIndex {
  readonly #buckets = new Map<number, Anchor[]>();
  readonly #serials = new Map<Donor, number>();
  #nextSerial = 0;
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  add(donor: Donor): void {
    const serial = this.#nextSerial++;
    this.#serials.set(donor, serial);
    // Backwards: of a text that repeats itself the early copies are compared first, which reach furthest.
    const blocks = Math.floor(donor.exactTokens / BLOCK);
    for (let position = (blocks - 1) * BLOCK; position >= 0; position -= BLOCK) {
      const key = blockKey(donor.tokens, position);
      const bucket = this.#buckets.get(key);
      if (bucket) bucket.push({ donor, serial, position });
      else this.#buckets.set(key, [{ donor, serial, position }]);
      this.#entries++;
    }
  }

  remove(donor: Donor): void {
    const serial = this.#serials.get(donor);
    if (serial === undefined) return;
    this.#serials.delete(donor);
    for (let position = 0; position + BLOCK <= donor.exactTokens; position += BLOCK) {
      const key = blockKey(donor.tokens, position);
      const bucket = this.#buckets.get(key);
      if (!bucket) continue;
      const start = firstOf(bucket, serial);
      const end = firstOf(bucket, serial + 1);
      bucket.splice(start, end - start);
      this.#entries -= end - start;
      if (bucket.length === 0) this.#buckets.delete(key);
    }
  }

  /** Maximal equal runs with at least `minRun` tokens from `from` on; newest donor first, then by position. */
  find({ target, minRun, from, used }: RunQuery): EqualRun[] {
    const search = new RunSearch(target, from, minRun);
    const serial = used ? this.#serials.get(used) : undefined;
    if (serial !== undefined) search.use(serial);
    for (let at = from; at + BLOCK <= target.length; at++) {
      const bucket = this.#buckets.get(blockKey(target, at));
      if (bucket) scan(bucket, at, search);
    }
    return search.runs();
  }
}

/** The newest anchors of a bucket, then older ones of donors that serve the target already. */
function scan(bucket: readonly Anchor[], at: number, search: RunSearch): void {
  const newest = Math.max(0, bucket.length - SCAN);
  for (let i = bucket.length - 1; i >= newest; i--) search.visit(bucket[i]!, at);
  if (newest === 0) return;
  for (const serial of search.used) {
    const end = Math.min(newest, firstOf(bucket, serial + 1));
    const start = Math.max(0, end - SCAN);
    for (let i = end - 1; i >= start && bucket[i]!.serial === serial; i--) {
      search.visit(bucket[i]!, at);
    }
  }
}

/** Where entries with at least this serial begin. */
function firstOf(bucket: readonly Anchor[], serial: number): number {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bucket[middle]!.serial < serial) low = middle + 1;
    else high = middle;
  }
  return low;
}
