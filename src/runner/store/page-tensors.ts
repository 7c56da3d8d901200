// Live tensors ⇄ packed pages, part by part. Between two parts others have their turn.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Rank, Tensor4D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { KvBlock } from '../model/kv-block.ts';
import type { KvPage } from './kv-page.ts';
import { pack, unpack, type KvFormat } from './page-codec.ts';
import { partNumbers, partsOf, type PackedPage, type PageShape } from './packed-page.ts';

/** Or why there is none: the tensors left meanwhile, or hold something that is no number. */
export type Packing = PackedPage | 'gone' | 'not-finite';

/** Reads the page's tensors; they may be disposed of meanwhile. */
export async function packPage(tf: Tf, page: KvPage, format: KvFormat): Promise<Packing> {
  const parts: Uint8Array[] = [];
  for (const { which, firstLayer, numLayers } of partsOf(page.shape)) {
    if (!page.live) return 'gone';
    const begin = [firstLayer, 0, 0, 0] as const;
    const slice = tf.slice<Rank.R4, Tensor4D>(
      page.live[which],
      [...begin],
      [numLayers, -1, -1, -1],
    );
    // [numLayers, kvHeads, tokens, headDim]
    let values: Float32Array;
    try {
      values = await slice.data<'float32'>();
    } finally {
      slice.dispose();
    }
    const bytes = pack(values, format, page.shape.headDim);
    if (!bytes) return 'not-finite';
    parts.push(bytes);
    await nextTurn();
  }
  return { format, parts };
}

/** K and V of a page, ready to become tensors: [layers, kvHeads, tokens, headDim]. */
export interface PageNumbers {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

export async function unpackPage(shape: PageShape, page: PackedPage): Promise<PageNumbers> {
  const { numLayers, numKvHeads, numTokens, headDim } = shape;
  const total = numLayers * numKvHeads * numTokens * headDim;
  const numbers = { k: new Float32Array(total), v: new Float32Array(total) };
  for (const [at, part] of partsOf(shape).entries()) {
    const start = (part.firstLayer * total) / numLayers;
    const out = numbers[part.which].subarray(start, start + partNumbers(shape, part));
    unpack(page.parts[at]!, page.format, headDim, out);
    await nextTurn();
  }
  return numbers;
}

export function toBlock(tf: Tf, shape: PageShape, { k, v }: PageNumbers): KvBlock {
  const { numLayers, numKvHeads, numTokens, headDim } = shape;
  const dims: [number, number, number, number] = [numLayers, numKvHeads, numTokens, headDim];
  return { k: tf.tensor4d(k, dims), v: tf.tensor4d(v, dims) };
}
