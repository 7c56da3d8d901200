// A block of unit vectors with their labels, in one of two forms. Floats are exact and a little faster (1.2 ms
// against 1.5 ms over 5,000 x 256): small scopes have them. Bytes take a quarter of the memory and move a cosine
// by 0.0004 (rms): large scopes have those, where a graph with vectors of its own takes 1.2 KB a vector already.
//
// The two loops look alike on purpose: one loop that sees both kinds of array is compiled for neither.
import type { TopNeighbours } from './top-neighbours.ts';

export interface Chunk {
  readonly labels: Uint32Array;
  readonly bytes: number;
  /** unit: [dimension]; `at` < labels.length. */
  write(at: number, unit: Float32Array): void;
  /** A unit vector, [dimension]. */
  read(at: number, unit: Float32Array): void;
  dot(at: number, query: Float32Array): number;
  /** Offers the vectors of [start, end). */
  scan(query: Float32Array, start: number, end: number, top: TopNeighbours): void;
}

export class FloatChunk implements Chunk {
  readonly labels: Uint32Array;
  readonly #data: Float32Array;
  readonly #dimension: number;

  constructor(capacity: number, dimension: number) {
    this.labels = new Uint32Array(capacity);
    this.#data = new Float32Array(capacity * dimension);
    this.#dimension = dimension;
  }

  get bytes(): number {
    return this.#data.byteLength + this.labels.byteLength;
  }

  write(at: number, unit: Float32Array): void {
    this.#data.set(unit, at * this.#dimension);
  }

  read(at: number, unit: Float32Array): void {
    unit.set(this.#data.subarray(at * this.#dimension, (at + 1) * this.#dimension));
  }

  dot(at: number, query: Float32Array): number {
    return dotFloats(this.#data, at * this.#dimension, query);
  }

  scan(query: Float32Array, start: number, end: number, top: TopNeighbours): void {
    const data = this.#data;
    const dimension = this.#dimension;
    for (let at = start; at < end; at++) {
      const similarity = dotFloats(data, at * dimension, query);
      if (similarity >= top.threshold) top.offer(this.labels[at]!, similarity);
    }
  }
}

export class ByteChunk implements Chunk {
  readonly labels: Uint32Array;
  readonly #data: Int8Array;
  /** What a step of a vector's bytes is worth, so that its norm is 1. */
  readonly #scales: Float32Array;
  readonly #dimension: number;

  constructor(capacity: number, dimension: number) {
    this.labels = new Uint32Array(capacity);
    this.#data = new Int8Array(capacity * dimension);
    this.#scales = new Float32Array(capacity);
    this.#dimension = dimension;
  }

  get bytes(): number {
    return this.#data.byteLength + this.#scales.byteLength + this.labels.byteLength;
  }

  write(at: number, unit: Float32Array): void {
    this.#scales[at] = writeBytes(this.#data, at * this.#dimension, unit);
  }

  read(at: number, unit: Float32Array): void {
    readBytes(this.#data, at * this.#dimension, this.#scales[at]!, unit);
  }

  dot(at: number, query: Float32Array): number {
    return dotBytes(this.#data, at * this.#dimension, query) * this.#scales[at]!;
  }

  scan(query: Float32Array, start: number, end: number, top: TopNeighbours): void {
    const data = this.#data;
    const scales = this.#scales;
    const dimension = this.#dimension;
    for (let at = start; at < end; at++) {
      const similarity = dotBytes(data, at * dimension, query) * scales[at]!;
      if (similarity >= top.threshold) top.offer(this.labels[at]!, similarity);
    }
  }
}

function dotFloats(data: Float32Array, from: number, query: Float32Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = query.length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    a += data[from + i]! * query[i]!;
    b += data[from + i + 1]! * query[i + 1]!;
    c += data[from + i + 2]! * query[i + 2]!;
    d += data[from + i + 3]! * query[i + 3]!;
  }
  for (; i < query.length; i++) a += data[from + i]! * query[i]!;
  return a + b + c + d;
}

function dotBytes(data: Int8Array, from: number, query: Float32Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = query.length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    a += data[from + i]! * query[i]!;
    b += data[from + i + 1]! * query[i + 1]!;
    c += data[from + i + 2]! * query[i + 2]!;
    d += data[from + i + 3]! * query[i + 3]!;
  }
  for (; i < query.length; i++) a += data[from + i]! * query[i]!;
  return a + b + c + d;
}

/** What a step is worth. */
function writeBytes(data: Int8Array, at: number, unit: Float32Array): number {
  let largest = 0;
  for (const value of unit) largest = Math.max(largest, Math.abs(value));
  const steps = 127 / largest;
  let squares = 0;
  for (let i = 0; i < unit.length; i++) {
    const step = Math.round(unit[i]! * steps);
    data[at + i] = step;
    squares += step * step;
  }
  return 1 / Math.sqrt(squares);
}

function readBytes(data: Int8Array, from: number, scale: number, unit: Float32Array): void {
  for (let i = 0; i < unit.length; i++) unit[i] = data[from + i]! * scale;
}
