// The vectors of one scope: the truth that every search is checked against and every graph is filled from.
// Slots are dense (a removed vector's place is taken by the last one), in chunks: growth never copies more than
// one chunk, so it never stops the event loop.
import { Chunk } from './chunk.ts';
import { LabelSlots } from './label-slots.ts';
import { openProducts, STRIDE_UNIT, type Products } from './products.ts';
import type { Query } from './query.ts';

/** Vectors a chunk. The first one starts small: most scopes hold a handful. */
const CHUNK = 1_024;
const FIRST = 8;
/** Products of numbers in one step of a scan: about 0.1 ms. */
const STEP = 2 ** 20;
const MAX_LABEL = 2 ** 32 - 1;

/** Numbers of a stored vector, zeros at its end among them. */
export const strideOf = (dimension: number): number =>
  STRIDE_UNIT * Math.ceil(dimension / STRIDE_UNIT);

/** For the scans of all tables with vectors of a dimension, which take turns. */
export const openScanner = (dimension: number): Products | null =>
  openProducts(strideOf(dimension), CHUNK);

export class VectorTable {
  readonly dimension: number;
  readonly #stride: number;
  readonly #products: Products | null;
  readonly #chunks: Chunk[] = [];
  readonly #slots = new LabelSlots();
  #size = 0;
  #nextLabel = 0;

  constructor(dimension: number, products: Products | null) {
    this.dimension = dimension;
    this.#stride = strideOf(dimension);
    this.#products = products;
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
    const slot = this.#size++;
    const chunk = this.#room(slot);
    chunk.write(slot % CHUNK, unit);
    chunk.labels[slot % CHUNK] = label;
    this.#slots.set(label, slot);
    return label;
  }

  remove(label: number): boolean {
    const slot = this.#slots.get(label);
    if (slot === undefined) return false;
    this.#slots.delete(label);
    const last = --this.#size;
    const chunk = this.#chunks.at(-1)!;
    if (slot !== last) {
      this.#chunkOf(slot).move(slot % CHUNK, chunk, last % CHUNK);
      this.#slots.set(chunk.labels[last % CHUNK]!, slot);
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
  scanStep(end: number, queries: readonly Query[]): number {
    const stop = Math.min(end, this.#size);
    if (stop === 0) return 0;
    const first = Math.floor((stop - 1) / CHUNK) * CHUNK;
    const step = Math.max(1, Math.floor(STEP / (this.#stride * queries.length)));
    const start = Math.max(first, stop - step);
    this.#chunkOf(start).scan(start - first, stop - first, queries, this.#products);
    return start;
  }

  #chunkOf(slot: number): Chunk {
    return this.#chunks[Math.floor(slot / CHUNK)]!;
  }

  /** The chunk of a slot behind the last one, grown where it is full. */
  #room(slot: number): Chunk {
    const [number, at] = [Math.floor(slot / CHUNK), slot % CHUNK];
    const chunk = this.#chunks[number];
    if (chunk && at < chunk.labels.length) return chunk;
    const capacity = chunk ? Math.min(CHUNK, 2 * at) : number === 0 ? FIRST : CHUNK;
    const larger = new Chunk(capacity, this.#stride);
    for (let i = 0; i < at; i++) larger.move(i, chunk!, i);
    this.#chunks[number] = larger;
    return larger;
  }
}
