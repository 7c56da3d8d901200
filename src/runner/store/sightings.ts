// Which texts came by before, in a sketch of fixed size: where memory is short, a prompt that nobody will send
// again should not push out one that many share (TinyLFU's doorkeeper, arXiv 1512.00727). Runs of tokens are
// remembered, not whole prompts: shared text is known again behind another card, too. A scope never learns from
// another one's prompts.
import { createHash } from 'node:crypto';

/** Tokens of a remembered run. */
const RUN = 16;
/** One run in so many is looked at, chosen by what it says: wherever it stands, it is the same one. */
const SAMPLE = 8;
const HASHES = 2;
/** A filter that is this full is put aside for an empty one; both are asked. */
const FULL = 0.25;

export class Sightings {
  readonly #bits: number;
  #young: Uint32Array;
  #old: Uint32Array;
  #set = 0;

  /** Bits are rounded up to a power of two. */
  constructor(bits = 2 ** 21) {
    this.#bits = 2 ** Math.ceil(Math.log2(Math.max(32, bits)));
    this.#young = new Uint32Array(this.#bits / 32);
    this.#old = new Uint32Array(this.#bits / 32);
  }

  /** The share of these tokens' runs that were seen before, 0..1. Remembers them. */
  see(scope: string, tokens: readonly number[]): number {
    const runs = runsOf(tokens, createHash('sha256').update(scope).digest().readInt32LE());
    let known = 0;
    for (const run of runs) if (this.#has(run)) known++;
    for (const run of runs) this.#add(run);
    return runs.length === 0 ? 0 : known / runs.length;
  }

  #has(run: number): boolean {
    return isIn(this.#young, run) || isIn(this.#old, run);
  }

  #add(run: number): void {
    for (let i = 0; i < HASHES; i++) {
      const [word, bit] = placeOf(this.#young, run, i);
      if ((this.#young[word]! & bit) !== 0) continue;
      this.#young[word]! |= bit;
      this.#set++;
    }
    if (this.#set < this.#bits * FULL) return;
    this.#old = this.#young;
    this.#young = new Uint32Array(this.#bits / 32);
    this.#set = 0;
  }
}

function placeOf(filter: Uint32Array, run: number, which: number): [number, number] {
  const at = mix(run ^ Math.imul(which + 1, 0x9e3779b1));
  return [(at >>> 5) % filter.length, 1 << (at & 31)];
}

function isIn(filter: Uint32Array, run: number): boolean {
  for (let i = 0; i < HASHES; i++) {
    const [word, bit] = placeOf(filter, run, i);
    if ((filter[word]! & bit) === 0) return false;
  }
  return true;
}

/** MurmurHash3's finaliser: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function runsOf(tokens: readonly number[], seed: number): number[] {
  const runs: number[] = [];
  for (let start = 0; start + RUN <= tokens.length; start++) {
    let hash = seed;
    for (let i = start; i < start + RUN; i++) hash = Math.imul(hash ^ tokens[i]!, 0x01000193);
    const run = mix(hash);
    if (run % SAMPLE === 0) runs.push(run);
  }
  return runs;
}
