// Rows of a KV, by position.
import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { LayerKv } from '../model/transformer.ts';

/** Copies the rows in this order; the caller owns the result. Null = no rows. */
export function takeRows(
  tf: Tf,
  kv: readonly LayerKv[],
  rows: readonly number[],
): LayerKv[] | null {
  if (rows.length === 0) return null;
  return tf.tidy(() => {
    const index = tf.tensor1d(rows as number[], 'int32');
    const take = (t: Tensor3D): Tensor3D => tf.gather(t, index, 1); // [kvHeads, rows, headDim]
    return kv.map(({ k, v }) => ({ k: take(k), v: take(v) }));
  });
}

/** Row by position; -1 where there is none. */
export function rowsByPosition(positions: Int32Array, numTokens: number): Int32Array {
  const rows = new Int32Array(numTokens).fill(-1);
  positions.forEach((at, row) => (rows[at] = row));
  return rows;
}

export function joinPositions(a: Int32Array, b: Int32Array): Int32Array<ArrayBuffer> {
  const joined = new Int32Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

export function disposeKv(kv: readonly LayerKv[] | null): void {
  for (const { k, v } of kv ?? []) {
    k.dispose();
    v.dispose();
  }
}
