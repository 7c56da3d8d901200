// The latest keys of the sequences that decode together, a column for each step: short, so that a step can
// copy it, and common, so that the step handles it with single ops.
import type { Rank, Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { KvBlock } from './kv-block.ts';

/** The latest keys of several sequences; a type, not an interface, so that tf.tidy takes it. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- see above
export type KvTail = {
  readonly k: Tensor5D; // [layers, rows, kvHeads, columns, headDim]
  readonly v: Tensor5D; // [layers, rows, kvHeads, columns, headDim]
};

/** One sequence's keys from this column on, as a block; null = none. */
export function tailRow(tf: Tf, tail: KvTail, row: number, start: number): KvBlock | null {
  const [layers, , kvHeads, columns, headDim] = tail.k.shape;
  const length = columns - start;
  if (length === 0) return null;
  return tf.tidy(() => {
    const cut = (t: Tensor5D): Tensor4D =>
      tf.reshape<Rank.R4>(
        tf.slice(t, [0, row, 0, start, 0], [layers, 1, kvHeads, length, headDim]),
        [layers, kvHeads, length, headDim],
      );
    return { k: cut(tail.k), v: cut(tail.v) };
  });
}

/** With one more column; the caller owns the result. Call it inside tf.tidy. */
export const growTail = (tf: Tf, tail: KvTail | null, k: Tensor5D, v: Tensor5D): KvTail =>
  tail ? { k: tf.concat([tail.k, k], 3), v: tf.concat([tail.v, v], 3) } : { k, v };
