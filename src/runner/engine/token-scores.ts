// What a top-up goes by: how far V of an imported token is off, and how much is attended to it.
import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';

/** |V_imported - V_now|_1 of each pair of rows, over heads and dimensions. */
export function valueDistance(
  tf: Tf,
  imported: Tensor3D, // [kvHeads, rows, headDim]
  importedRows: readonly number[],
  now: Tensor3D, // [kvHeads, rows, headDim]
  nowRows: readonly number[],
): Float32Array {
  if (importedRows.length === 0) return new Float32Array(0);
  const distance = tf.tidy(() => {
    const old = tf.gather(imported, tf.tensor1d(importedRows as number[], 'int32'), 1);
    const fresh = tf.gather(now, tf.tensor1d(nowRows as number[], 'int32'), 1);
    return tf.sum(tf.abs(tf.sub(old, fresh)), [0, 2]); // [rows]
  });
  const values = distance.dataSync<'float32'>().slice();
  distance.dispose();
  return values;
}

/** Attention by target position, summed over the queries, heads and layers that were computed. */
export class KeyAttention {
  readonly #sum: Float64Array;

  constructor(numTokens: number) {
    this.#sum = new Float64Array(numTokens);
  }

  /** attention: [keys], in the order of `positions`. */
  add(attention: Float32Array, positions: Int32Array): void {
    positions.forEach((at, key) => (this.#sum[at]! += attention[key]!));
  }

  of(positions: Int32Array): Float32Array {
    return Float32Array.from(positions, (at) => this.#sum[at]!);
  }

  /** Multiplies scores in place (DHD: attention x distance). */
  weigh(scores: Float32Array, positions: Int32Array): void {
    positions.forEach((at, i) => (scores[i]! *= this.#sum[at]!));
  }
}
