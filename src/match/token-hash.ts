// 53-bit hashes over token runs. They only nominate: every hit is verified token by token, so a collision
// costs a comparison and never an answer.

/** Tokens in a hashed block. Two blocks fit into the shortest run that is looked for. */
export const BLOCK = 16;

const SEED_A = 0x811c9dc5;
const SEED_B = 0x2f0b4c47;

/** Running state of a hash; feed tokens, then read the key. */
export class TokenHash {
  #a = SEED_A;
  #b = SEED_B;

  add(token: number): void {
    this.#a = Math.imul(this.#a ^ token, 0x01000193);
    this.#a ^= this.#a >>> 15;
    this.#b = Math.imul(this.#b ^ token, 0x85ebca6b);
    this.#b ^= this.#b >>> 13;
  }

  get key(): number {
    return (this.#a >>> 0) * 0x200000 + (this.#b >>> 11);
  }
}

/** Hash of tokens[start, start + BLOCK). */
export function blockKey(tokens: Int32Array, start: number): number {
  const hash = new TokenHash();
  for (let i = start; i < start + BLOCK; i++) hash.add(tokens[i]!);
  return hash.key;
}
