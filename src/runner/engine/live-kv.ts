// The KV of one running sequence: per layer K and V in the order they arrived (imported rows first),
// with the target position of every row beside it. Attention does not mind the order, masks do.
import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { ForwardOutput, LayerKv } from '../model/transformer.ts';

/** Takes rows of [heads, tokens, dim]: a slice when they are consecutive. Call it inside tf.tidy. */
export function rowTaker(tf: Tf, rows: ArrayLike<number>): (t: Tensor3D) => Tensor3D {
  const first = rows[0]!;
  const count = rows.length;
  let consecutive = true;
  for (let i = 1; i < count && consecutive; i++) consecutive = rows[i] === first + i;
  if (consecutive) return (t) => tf.slice(t, [0, first, 0], [t.shape[0], count, t.shape[2]]);
  const index = tf.tensor1d(Int32Array.from(rows), 'int32');
  return (t) => tf.gather(t, index, 1);
}

export class LiveKv {
  #kv: readonly LayerKv[] | null = null;
  #positions = new Int32Array(0);

  /** Null before the first token. */
  get kv(): readonly LayerKv[] | null {
    return this.#kv;
  }

  /** Target position by row. */
  get positions(): Int32Array {
    return this.#positions;
  }

  /** Takes ownership of `kv`, which holds all earlier rows and the new ones behind them. */
  replace(kv: ForwardOutput['kv'], newPositions: Int32Array): void {
    this.dispose();
    const positions = new Int32Array(this.#positions.length + newPositions.length);
    positions.set(this.#positions);
    positions.set(newPositions, this.#positions.length);
    this.#kv = kv;
    this.#positions = positions;
  }

  /** Copies positions [start, end) in ascending order; the caller owns the result. */
  copyRange(tf: Tf, start: number, end: number): LayerKv[] {
    return this.copyRows(
      tf,
      Int32Array.from({ length: end - start }, (_, i) => start + i),
    );
  }

  /** Copies these positions of layers [firstLayer, endLayer) in this order; the caller owns the result. */
  copyRows(tf: Tf, wanted: Int32Array, firstLayer = 0, endLayer?: number): LayerKv[] {
    if (!this.#kv) throw new Error('no KV yet');
    const rows = this.#rowsOf(wanted);
    const layers = this.#kv.slice(firstLayer, endLayer);
    return tf.tidy(() => {
      const take = rowTaker(tf, rows);
      return layers.map(({ k, v }) => ({ k: take(k), v: take(v) }));
    });
  }

  /** Keeps only these positions, in this order, and only the layers from `firstLayer` on. */
  retain(tf: Tf, wanted: Int32Array, firstLayer = 0): void {
    const kept = wanted.length > 0 ? this.copyRows(tf, wanted, firstLayer) : null;
    this.dispose();
    this.#kv = kept;
    this.#positions = new Int32Array(wanted);
  }

  /** A second cache over the same tensors, from `firstLayer` on, that can grow by itself. */
  fork(tf: Tf, firstLayer: number): LiveKv {
    const copy = new LiveKv();
    const layers = this.#kv?.slice(firstLayer) ?? [];
    copy.replace(
      layers.map(({ k, v }) => ({ k: tf.clone(k), v: tf.clone(v) })),
      this.#positions,
    );
    return copy;
  }

  /** Takes ownership of layers that go before the ones held; their rows must be in the same order. */
  prependLayers(kv: readonly LayerKv[]): void {
    this.#kv = [...kv, ...(this.#kv ?? [])];
  }

  /** As if nothing had been computed. */
  clear(): void {
    this.dispose();
    this.#positions = new Int32Array(0);
  }

  dispose(): void {
    for (const { k, v } of this.#kv ?? []) {
      k.dispose();
      v.dispose();
    }
    this.#kv = null;
  }

  #rowsOf(wanted: Int32Array): Int32Array {
    const rowAt = new Map<number, number>();
    this.#positions.forEach((position, row) => rowAt.set(position, row));
    return wanted.map((position) => {
      const row = rowAt.get(position);
      if (row === undefined) throw new Error('a position has no KV');
      return row;
    });
  }
}
