// Contexts with KV that says where it belongs: every number follows from scope, tokens up to its own, layer, head and
// channel. So whatever a store gives back can be checked without remembering what was put into it.
import type { KvLayout } from '../../src/kv/index.ts';
import type { Tf } from '../../src/runner/backend/index.ts';
import type { KvBlock } from '../../src/runner/model/kv-block.ts';
import { viewLength } from '../../src/runner/store/kv-page.ts';
import type { StoredKv } from '../../src/runner/store/kv-store.ts';

export const tinyLayout: KvLayout = {
  numLayers: 2,
  numKvHeads: 2,
  headDim: 8,
  dtype: 'float32',
  ropeTheta: 1000,
  ropeDims: 8,
};

const PER_TOKEN = tinyLayout.numLayers * tinyLayout.numKvHeads * tinyLayout.headDim;

/** Of each prefix of the tokens. */
function prefixHashes(scope: string, tokens: readonly number[]): number[] {
  let hash = 2166136261;
  for (const letter of scope) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  return tokens.map((token) => (hash = Math.imul(hash ^ token, 16777619)));
}

/** The number at [layer, head, token, channel] of K; V has its negative. */
function numberAt(prefix: number, place: number): number {
  const mixed = Math.imul(prefix ^ (place * 0x9e3779b1), 0x85ebca6b);
  return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 30 - 2;
}

/** K of tokens [start, end): [layers, kvHeads, tokens, headDim]. */
export function keysOf(
  scope: string,
  tokens: readonly number[],
  start: number,
  end: number,
): Float32Array {
  const { numLayers, numKvHeads, headDim } = tinyLayout;
  const prefixes = prefixHashes(scope, tokens);
  const count = end - start;
  const keys = new Float32Array(count * PER_TOKEN);
  for (let row = 0; row < numLayers * numKvHeads; row++) {
    for (let t = 0; t < count; t++) {
      for (let c = 0; c < headDim; c++) {
        keys[(row * count + t) * headDim + c] = numberAt(prefixes[start + t]!, row * headDim + c);
      }
    }
  }
  return keys;
}

export function blockOf(
  tf: Tf,
  scope: string,
  tokens: readonly number[],
  start: number,
  end = tokens.length,
): KvBlock {
  const { numLayers, numKvHeads, headDim } = tinyLayout;
  const dims: [number, number, number, number] = [numLayers, numKvHeads, end - start, headDim];
  const keys = keysOf(scope, tokens, start, end);
  return {
    k: tf.tensor4d(keys, dims),
    v: tf.tensor4d(
      keys.map((x) => -x),
      dims,
    ),
  };
}

/** The largest difference between the live KV of a context and what it must be; null when some is not live. */
export function worstError({ context, views }: StoredKv): number | null {
  const rows = tinyLayout.numLayers * tinyLayout.numKvHeads;
  const { headDim } = tinyLayout;
  let worst = 0;
  let at = 0;
  for (const view of views) {
    const { page, start } = view;
    if (!page.live) return null;
    const count = viewLength(view);
    const wanted = keysOf(context.scope, context.tokens, at, at + count);
    const k = page.live.k.dataSync<'float32'>();
    const v = page.live.v.dataSync<'float32'>();
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < count * headDim; i++) {
        const want = wanted[row * count * headDim + i]!;
        const place = (row * page.shape.numTokens + start) * headDim + i;
        worst = Math.max(worst, Math.abs(k[place]! - want), Math.abs(v[place]! + want));
      }
    }
    at += count;
  }
  return worst;
}
