// The vectors of one scope: the truth that every search is checked against and every graph is filled from.
// Slots are dense (a removed vector's place is taken by the last one), in chunks: growth never copies more than
// one chunk, so it never stops the event loop.
import { ByteChunk, FloatChunk, type Chunk } from './chunk.ts';
import { LabelSlots } from './label-slots.ts';
import type { TopNeighbours } from './top-neighbours.ts';

/** Vectors a chunk. The first one starts small: most scopes hold a handful. */
const CHUNK = 1_024;
const FIRST = 8;
/** Numbers that one step of a scan multiplies: about 0.1 ms. */
const STEP = 65_536;
/** Additions from one chunk that becomes bytes to the next: all at once would take milliseconds. */
const SHRINK_EVERY = 64;
const MAX_LABEL = 2 ** 32 - 1;

export class VectorTable {
  readonly dimension: number;
  readonly #exactUpTo: number;
  readonly #chunks: Chunk[] = [];
  readonly #slots = new LabelSlots();
  readonly #moving: Float32Array;
  readonly #stepSize: number;
  #size = 0;
  #nextLabel = 0;

  /** With more than `exactUpTo` vectors they are kept as bytes. */
  constructor(dimension: number, exactUpTo: number) {
    this.dimension = dimension;
    this.#exactUpTo = exactUpTo;
    this.#moving = new Float32Array(dimension);
    this.#stepSize = Math.max(1, Math.floor(STEP / dimension));
  }

  get size(): number {
    return this.#size;
  }

  /** Every label so far is smaller. */
  get nextLabel(): number {
    return this.#nextLabel;
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.bytes, this.#slots.bytes);
  }

  has(label: number): boolean {
    return this.#slots.get(label) !== undefined;
  }

  /** A fresh label, 0 … 2^32 - 2, greater than all before. */
  add(unit: Float32Array): number {
    if (this.#nextLabel === MAX_LABEL) throw new RangeError('This index has used all its labels.');
    const label = this.#nextLabel++;
    if (this.#size > this.#exactUpTo && label % SHRINK_EVERY === 0) this.#shrinkOne();
    this.#put(this.#size++, label, unit);
    return label;
  }

  remove(label: number): boolean {
    const slot = this.#slots.get(label);
    if (slot === undefined) return false;
    this.#slots.delete(label);
    const last = --this.#size;
    const chunk = this.#chunks.at(-1)!;
    if (slot !== last) {
      chunk.read(last % CHUNK, this.#moving);
      this.#put(slot, chunk.labels[last % CHUNK]!, this.#moving);
    }
    if (last % CHUNK === 0) this.#chunks.pop();
    return true;
  }

  /** Cosine of a stored vector with a unit vector; -Infinity when the label is not here. */
  similarity(label: number, query: Float32Array): number {
    const slot = this.#slots.get(label);
    return slot === undefined ? -Infinity : this.#chunkOf(slot).dot(slot % CHUNK, query);
  }

  /** unit: [dimension]. The label must be stored. */
  read(label: number, unit: Float32Array): void {
    const slot = this.#slots.get(label)!;
    this.#chunkOf(slot).read(slot % CHUNK, unit);
  }

  /** See LabelSlots.take. */
  take(from: number, limit: number): { labels: number[]; next: number } {
    return this.#slots.take(from, this.#nextLabel, limit);
  }

  /**
   * Offers a few vectors below slot `end`; returns the slot to go on with, 0 at the end. Scans go downwards, so
   * that a vector that a removal moves between two steps may be seen twice but is never overlooked.
   */
  scanStep(end: number, query: Float32Array, top: TopNeighbours): number {
    const stop = Math.min(end, this.#size);
    if (stop === 0) return 0;
    const first = Math.floor((stop - 1) / CHUNK) * CHUNK;
    const start = Math.max(first, stop - this.#stepSize);
    this.#chunkOf(start).scan(query, start - first, stop - first, top);
    return start;
  }

  #chunkOf(slot: number): Chunk {
    return this.#chunks[Math.floor(slot / CHUNK)]!;
  }

  #put(slot: number, label: number, unit: Float32Array): void {
    const at = slot % CHUNK;
    const number = Math.floor(slot / CHUNK);
    const chunk = this.#chunks[number];
    if (!chunk) this.#chunks.push(this.#newChunk(number === 0 ? FIRST : CHUNK));
    else if (at >= chunk.labels.length) this.#replace(number, this.#newChunk(2 * at), at);
    const target = this.#chunks[number]!;
    target.write(at, unit);
    target.labels[at] = label;
    this.#slots.set(label, slot);
  }

  #newChunk(capacity: number): Chunk {
    const fits = Math.min(CHUNK, capacity);
    return this.#size > this.#exactUpTo
      ? new ByteChunk(fits, this.dimension)
      : new FloatChunk(fits, this.dimension);
  }

  /** Moves the first `count` vectors of a chunk. */
  #replace(number: number, to: Chunk, count: number): void {
    const from = this.#chunks[number]!;
    for (let at = 0; at < count; at++) {
      from.read(at, this.#moving);
      to.write(at, this.#moving);
    }
    to.labels.set(from.labels.subarray(0, count));
    this.#chunks[number] = to;
  }

  #shrinkOne(): void {
    const number = this.#chunks.findIndex((chunk) => chunk instanceof FloatChunk);
    if (number < 0) return;
    const count = Math.min(CHUNK, this.#size - number * CHUNK);
    this.#replace(
      number,
      new ByteChunk(this.#chunks[number]!.labels.length, this.dimension),
      count,
    );
  }
}
