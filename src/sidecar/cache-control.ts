// x-kvshare-cache-control: what a client may ask for. It can only narrow: no word turns sharing on.
import { KvShareError } from '../errors.ts';

export interface CacheControl {
  /** Look for donors. */
  readonly lookup: boolean;
  /** Keep this request's KV. */
  readonly store: boolean;
}

export function readCacheControl(header: string | undefined): CacheControl {
  let [lookup, store] = [true, true];
  for (const word of (header ?? '').split(',').map((part) => part.trim().toLowerCase())) {
    if (word === 'no-store') store = false;
    else if (word === 'no-cache' || word === 'bypass') lookup = false;
    else if (word !== '') {
      const known = 'no-store, no-cache, bypass';
      throw new KvShareError('invalid_request', `x-kvshare-cache-control knows ${known}.`);
    }
  }
  return { lookup, store };
}
