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
  /** Every position of the context, computed once. */
  readonly table: RotaryRows; // [positions, headDim]

  constructor(tf: Tf, headDim: number, theta: number, numPositions: number) {
    this.#tf = tf;
    const half = headDim / 2;
    const cos = new Float32Array(numPositions * headDim);
    const sin = new Float32Array(numPositions * headDim);
    for (let i = 0; i < half; i++) {
      const frequency = Math.pow(theta, (-2 * i) / headDim);
      for (let position = 0; position < numPositions; position++) {
        const at = position * headDim + i;
        const angle = position * frequency;
        cos[at] = cos[at + half] = Math.cos(angle);
        sin[at + half] = Math.sin(angle);
        sin[at] = -sin[at + half]!;
      }
    }
    const shape: [number, number] = [numPositions, headDim];
    this.table = { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
  }

  /** Tables for these positions. */
  rows(positions: Int32Array): RotaryRows {
    const index = this.#tf.tensor1d(positions, 'int32');
    const rows = {
      cos: this.#tf.gather(this.table.cos, index),
      sin: this.#tf.gather(this.table.sin, index),
    };
    index.dispose();
    return rows;
  }

  /** Tables for steps (target - donor) of either sign: they move keys that are turned already. */
  steps(steps: Int32Array): RotaryRows {
    const tf = this.#tf;
    return tf.tidy(() => {
      const { cos, sin } = this.rows(steps.map(Math.abs));
      const signs = tf.tensor2d(Float32Array.from(steps, Math.sign), [steps.length, 1]);
      return { cos, sin: tf.mul(sin, signs) };
    }) as unknown as RotaryRows;
  }
}

/** Rotates `x` [..., headDim]; `cos` and `sin` must broadcast against it. */
export function rotate<T extends Tensor>(tf: Tf, x: T, cos: Tensor, sin: Tensor): T {
  const headDim = x.shape.at(-1)!;
  const halves = tf.reshape(x, [-1, 2, headDim / 2]);
  const swapped = tf.reshape(tf.reverse(halves, 1), x.shape);
  return tf.add(tf.mul(x, cos), tf.mul(swapped, sin));
}
