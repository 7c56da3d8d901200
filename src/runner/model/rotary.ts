// Rotary position embedding in the "halves" order: after loading, pair i of a head is (i, i + D/2), so a
// rotation is x * cos + swapHalves(x) * sin with two broadcast tables. GGUF stores pairs as (2i, 2i+1);
// weights.ts permutes the rows of q and k once. Angles in float64, tables in fp32 (RoFormer, eq. 34).
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';

export interface RotaryRows {
  readonly cos: Tensor2D; // [rows, headDim]
  readonly sin: Tensor2D; // [rows, headDim], first half negated
}

export class RotaryTable {
  readonly #tf: Tf;
  readonly #headDim: number;
  readonly #frequencies: Float64Array;

  constructor(tf: Tf, headDim: number, theta: number) {
    this.#tf = tf;
    this.#headDim = headDim;
    this.#frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) =>
      Math.pow(theta, (-2 * i) / headDim),
    );
  }

  /** Tables for one angle step a row: absolute positions, or (target - donor) to move a stored key. */
  rows(steps: ArrayLike<number>): RotaryRows {
    const half = this.#headDim / 2;
    const cos = new Float32Array(steps.length * this.#headDim);
    const sin = new Float32Array(steps.length * this.#headDim);
    for (let row = 0; row < steps.length; row++) {
      const base = row * this.#headDim;
      for (let i = 0; i < half; i++) {
        const angle = steps[row]! * this.#frequencies[i]!;
        cos[base + i] = cos[base + half + i] = Math.cos(angle);
        sin[base + half + i] = Math.sin(angle);
        sin[base + i] = -sin[base + half + i]!;
      }
    }
    const shape: [number, number] = [steps.length, this.#headDim];
    return { cos: this.#tf.tensor2d(cos, shape), sin: this.#tf.tensor2d(sin, shape) };
  }
}

/** Rotates `x` [..., headDim]; `cos` and `sin` must broadcast against it. */
export function rotate<T extends Tensor>(tf: Tf, x: T, cos: Tensor, sin: Tensor): T {
  const headDim = x.shape.at(-1)!;
  const halves = tf.reshape(x, [-1, 2, headDim / 2]);
  const swapped = tf.reshape(tf.reverse(halves, 1), x.shape);
  return tf.add(tf.mul(x, cos), tf.mul(swapped, sin));
}
