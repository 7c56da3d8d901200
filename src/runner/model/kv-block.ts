// K and V of some tokens, all layers of a part stacked into two tensors: an import, a page or a step of
// decoding handles two tensors instead of sixty.
import type { Rank, Tensor4D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';

/** K (rotated) and V; a type, not an interface, so that tf.tidy takes it. */
// eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- see above
export type KvBlock = {
  readonly k: Tensor4D; // [layers, kvHeads, tokens, headDim]
  readonly v: Tensor4D; // [layers, kvHeads, tokens, headDim]
};

export const blockTokens = (block: KvBlock): number => block.k.shape[2];

export function disposeBlock({ k, v }: KvBlock): void {
  k.dispose();
  v.dispose();
}

/** Another handle on the same memory. */
export const shareBlock = (tf: Tf, { k, v }: KvBlock): KvBlock => ({
  k: tf.clone(k),
  v: tf.clone(v),
});

/** One block behind the other, by token or by layer; the caller owns the result and keeps the parts. */
export function joinBlocks(tf: Tf, blocks: readonly KvBlock[], by: 'token' | 'layer'): KvBlock {
  if (blocks.length === 1) return shareBlock(tf, blocks[0]!);
  const axis = by === 'token' ? 2 : 0;
  return {
    k: tf.concat<Tensor4D>(
      blocks.map((block) => block.k),
      axis,
    ),
    v: tf.concat<Tensor4D>(
      blocks.map((block) => block.v),
      axis,
    ),
  };
}

/** Layers [first, end); the caller owns the result. */
export function sliceLayers(tf: Tf, { k, v }: KvBlock, first: number, end: number): KvBlock {
  const cut = (t: Tensor4D): Tensor4D =>
    tf.slice<Rank.R4, Tensor4D>(t, [first, 0, 0, 0], [end - first, -1, -1, -1]);
  return { k: cut(k), v: cut(v) };
}

/** Takes tokens by row: a slice when they are consecutive. Call it inside tf.tidy. */
export function rowTaker(tf: Tf, rows: ArrayLike<number>): (t: Tensor4D) => Tensor4D {
  const first = rows[0]!;
  const count = rows.length;
  let consecutive = true;
  for (let i = 1; i < count && consecutive; i++) consecutive = rows[i] === first + i;
  if (consecutive) {
    return (t) => tf.slice<Rank.R4, Tensor4D>(t, [0, 0, first, 0], [-1, -1, count, -1]);
  }
  const index = tf.tensor1d(Int32Array.from(rows), 'int32');
  return (t) => tf.gather(t, index, 2);
}
