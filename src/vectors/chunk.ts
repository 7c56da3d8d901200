// A block of unit vectors with their labels, each in bytes with a scale of its own: a quarter of the memory of floats, and
// a cosine moves by 0.0004 (rms).
import { NEAR_SIZE, TOGETHER, type Products } from './products.ts';
import type { Query } from './query.ts';

export class Chunk {
  readonly labels: Uint32Array;
  readonly #data: Int8Array;
  /** What a step of a vector's bytes is worth, so that its norm is 1. */
  readonly #scales: Float32Array;
  readonly #stride: number;

  /** `stride`: bytes a vector, at least its dimension. */
  constructor(capacity: number, stride: number) {
    this.labels = new Uint32Array(capacity);
    this.#data = new Int8Array(capacity * stride);
    this.#scales = new Float32Array(capacity);
    this.#stride = stride;
  }

  get bytes(): number {
    return this.#data.byteLength + this.#scales.byteLength + this.labels.byteLength;
  }

  /** unit: [dimension]; `at` < labels.length. */
  write(at: number, unit: Float32Array): void {
    let largest = 0;
    for (const value of unit) largest = Math.max(largest, Math.abs(value));
    const steps = 127 / largest;
    const from = at * this.#stride;
    let squares = 0;
    for (let i = 0; i < unit.length; i++) {
      const step = Math.round(unit[i]! * steps);
      this.#data[from + i] = step;
      squares += step * step;
    }
    this.#scales[at] = 1 / Math.sqrt(squares);
  }

  /** A unit vector, [dimension]. */
  read(at: number, unit: Float32Array): void {
    const from = at * this.#stride;
    for (let i = 0; i < unit.length; i++) unit[i] = this.#data[from + i]! * this.#scales[at]!;
  }

  /** Takes a vector of another chunk, with its label. */
  move(at: number, from: Chunk, fromAt: number): void {
    const stride = this.#stride;
    this.#data.set(from.#data.subarray(fromAt * stride, (fromAt + 1) * stride), at * stride);
    this.#scales[at] = from.#scales[fromAt]!;
    this.labels[at] = from.labels[fromAt]!;
  }

  /** Cosine with a unit vector, [dimension]. */
  dot(at: number, unit: Float32Array): number {
    return dot(this.#data, at * this.#stride, unit) * this.#scales[at]!;
  }

  /** Offers the vectors of [start, end) to each query. */
  scan(start: number, end: number, queries: readonly Query[], products: Products | null): void {
    if (!products) {
      for (const query of queries) this.#compare(start, end, query);
      return;
    }
    const vectors = this.#data.subarray(start * this.#stride, end * this.#stride);
    products.load(vectors, this.#scales.subarray(start, end));
    for (let i = 0; i < queries.length; i += TOGETHER) {
      const [a, b = a, c = b] = [queries[i]!, queries[i + 1], queries[i + 2]];
      const found = products.findNear(a, b, c);
      for (let column = 0; column < TOGETHER && i + column < queries.length; column++) {
        this.#offer(start, products.near, found, column, queries[i + column]!);
      }
    }
  }

  /** The slow way, which the other one is compared with. */
  #compare(start: number, end: number, { unit, top }: Query): void {
    for (let at = start; at < end; at++) {
      const similarity = this.dot(at, unit);
      if (similarity >= top.threshold) top.offer(this.labels[at]!, similarity);
    }
  }

  /** Steps say who may be near enough, floats whether it is: the result is that of comparing everybody in floats. */
  #offer(start: number, near: Float32Array, found: number, column: number, query: Query): void {
    const { unit, top } = query;
    for (let i = 0; i < NEAR_SIZE * found; i += NEAR_SIZE) {
      if (near[i + column]! < query.least) continue;
      const at = start + near[i + TOGETHER]!;
      const similarity = this.dot(at, unit);
      if (similarity >= top.threshold) top.offer(this.labels[at]!, similarity);
    }
  }
}

function dot(data: Int8Array, from: number, unit: Float32Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = unit.length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    a += data[from + i]! * unit[i]!;
    b += data[from + i + 1]! * unit[i + 1]!;
    c += data[from + i + 2]! * unit[i + 2]!;
    d += data[from + i + 3]! * unit[i + 3]!;
  }
  for (; i < unit.length; i++) a += data[from + i]! * unit[i]!;
  return a + b + c + d;
}
