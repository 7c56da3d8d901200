// One HNSW graph inside the graph process, the only file that touches hnswlib-node, within what was measured to be
// safe there: numbers that were checked, labels that are never used twice, no files, no filters, no reuse of
// deleted places, room that grows between operations only. A breach throws, and the process ends: better than
// neighbours that mean nothing.
import type { HierarchicalNSW } from 'hnswlib-node';
import type { GraphSettings } from './graph-messages.ts';

export type Library = typeof import('hnswlib-node');

const SEED = 100;

export class Graph {
  readonly #points: HierarchicalNSW;
  readonly #settings: GraphSettings;

  constructor(library: Library, settings: GraphSettings, capacity: number) {
    const { dimension, links, buildWidth, searchWidth } = settings;
    this.#settings = settings;
    this.#points = new library.HierarchicalNSW('ip', dimension);
    this.#points.initIndex(capacity, links, buildWidth, SEED);
    this.#points.setEf(searchWidth);
  }

  add(label: number, unit: Float32Array): void {
    const points = this.#points;
    const capacity = points.getMaxElements();
    if (points.getCurrentCount() === capacity) points.resizeIndex(2 * capacity);
    points.addPoint(checked(unit, this.#settings.dimension), label);
  }

  remove(label: number): void {
    this.#points.markDelete(label);
  }

  search(query: Float32Array, k: number): Uint32Array {
    const count = Math.min(k, this.#points.getCurrentCount());
    if (count === 0) return new Uint32Array();
    const unit = checked(query, this.#settings.dimension);
    return Uint32Array.from(this.#points.searchKnn(unit, count).neighbors);
  }
}

/** The library copies what it is given, so one array serves all calls and leaves no garbage. */
const numbers: number[] = [];

function checked(vector: Float32Array, dimension: number): number[] {
  let squares = 0;
  for (const x of vector) squares += x * x;
  // NaN fails this comparison too.
  if (vector.length !== dimension || !(Math.abs(squares - 1) < 1e-3)) {
    throw new RangeError('The graph process was handed something that is no unit vector.');
  }
  numbers.length = dimension;
  for (let i = 0; i < dimension; i++) numbers[i] = vector[i]!;
  return numbers;
}
