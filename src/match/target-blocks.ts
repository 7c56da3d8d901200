// The hashed blocks of one target, at every position, and where each of them stands.
import { BLOCK, blockKey } from './token-hash.ts';

/** Places of one block that are looked at; more only arise where a text repeats itself. */
const MAX_PLACES = 8;

export class TargetBlocks {
  readonly from: number;
  /** keys[i] belongs to the block that begins at target position from + i. */
  readonly keys: Uint32Array;
  #places: Map<number, number[]> | null = null;

  constructor(target: Int32Array, from: number) {
    this.from = from;
    this.keys = new Uint32Array(Math.max(0, target.length - BLOCK + 1 - from));
    for (let i = 0; i < this.keys.length; i++) this.keys[i] = blockKey(target, from + i);
  }

  /** Target positions, ascending. */
  positionsOf(key: number): readonly number[] {
    this.#places ??= this.#findPlaces();
    return this.#places.get(key) ?? [];
  }

  #findPlaces(): Map<number, number[]> {
    const places = new Map<number, number[]>();
    this.keys.forEach((key, i) => {
      const found = places.get(key);
      if (!found) places.set(key, [this.from + i]);
      else if (found.length < MAX_PLACES) found.push(this.from + i);
    });
    return places;
  }
}
