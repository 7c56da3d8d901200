// What a client may ask for with headers. It can only narrow: no word turns sharing on, and a similarity only
// counts where it is stricter than the route's.
import { KvShareError } from '../errors.ts';

export interface CacheControl {
  /** Look for donors. */
  readonly lookup: boolean;
  /** Keep this request's KV. */
  readonly store: boolean;
  /** Donors must have been stored within so many milliseconds; null = any age. */
  readonly maxAgeMs: number | null;
}

const MAX_AGE = /^max-age=(\d{1,9})$/;

export function readCacheControl(header: string | undefined): CacheControl {
  let [lookup, store] = [true, true];
  let maxAgeMs: number | null = null;
  for (const word of (header ?? '').split(',').map((part) => part.trim().toLowerCase())) {
    const age = MAX_AGE.exec(word);
    if (age) maxAgeMs = Math.min(maxAgeMs ?? Infinity, 1000 * Number(age[1]));
    else if (word === 'no-store') store = false;
    else if (word === 'no-cache' || word === 'bypass') lookup = false;
    else if (word !== '') {
      const known = 'no-store, no-cache, bypass, max-age=SECONDS';
      throw new KvShareError('invalid_request', `x-kvshare-cache-control knows ${known}.`);
    }
  }
  return { lookup, store, maxAgeMs };
}

/** 0 when the header is absent. */
export function readMinSimilarity(header: string | undefined): number {
  if (header === undefined) return 0;
  const value = Number(header);
  if (header.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new KvShareError('invalid_request', 'x-kvshare-min-similarity is a number from 0 to 1.');
}
