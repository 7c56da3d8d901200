// What is searched for: a direction in floats, which decide, the same in 16-bit steps, which say quickly who is out of
// the question, and the best found so far.
import { TopNeighbours } from './top-neighbours.ts';

/** Most of a step. */
const LARGEST_STEP = 32_767;
/** A product of steps must fit 31 bits: by Cauchy and Schwarz it is at most the product of the lengths. */
const LARGEST_PRODUCT = 0.99 * 2 ** 31;
const LARGEST_BYTE = 127;
/** Of sums of floats. */
const ROUNDING = 1e-5;

export class Query {
  /** [dimension], length 1. */
  readonly unit: Float32Array;
  /** [stride], zeros at the end. */
  readonly steps: Int16Array;
  readonly top: TopNeighbours;

  /** Steps of a cosine of 1. */
  readonly #perUnit: number;
  /** Most that the cosine with a unit vector changes by the rounding to steps. */
  readonly #error: number;

  /** unit: [dimension], length 1; `stride` numbers a vector, at least `dimension`; the best k are kept. */
  constructor(unit: Float32Array, stride: number, k: number) {
    let largest = 0;
    for (const value of unit) largest = Math.max(largest, Math.abs(value));
    const longest =
      LARGEST_PRODUCT / (LARGEST_BYTE * Math.sqrt(unit.length)) - Math.sqrt(unit.length);
    const perUnit = Math.min(LARGEST_STEP / largest, longest);
    this.unit = unit;
    this.steps = new Int16Array(stride);
    this.#perUnit = perUnit;
    let squares = 0;
    for (let i = 0; i < unit.length; i++) {
      const step = Math.round(unit[i]! * perUnit);
      this.steps[i] = step;
      squares += (unit[i]! - step / perUnit) ** 2;
    }
    this.#error = Math.sqrt(squares) + ROUNDING;
    this.top = new TopNeighbours(k);
  }

  /** Product of steps and a vector from which on it may be among the best. */
  get least(): number {
    return (this.top.threshold - this.#error) * this.#perUnit;
  }
}
