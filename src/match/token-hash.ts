// 32-bit hashes over token runs. They only nominate: every hit is verified token by token, so a collision
// costs a comparison and never an answer.

/** Tokens in a hashed block. */
export const BLOCK = 16;

/** Blocks of a donor begin at every multiple of this. */
export const STRIDE = 8;

/** A run of this many tokens contains a whole hashed block wherever it lies: none is overlooked. */
export const SHORTEST_RUN = BLOCK + STRIDE - 1;

/** Hash of tokens[start, start + BLOCK), 0 … 2^32 - 1. */
export function blockKey(tokens: Int32Array, start: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < start + BLOCK; i++) {
    hash = Math.imul(hash ^ tokens[i]!, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
