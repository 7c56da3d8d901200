// The KV of one running sequence: per layer K and V in the order they arrived (imported rows first),
// with the target position of every row beside it. Attention does not mind the order, masks do.
import type { Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { ForwardOutput, LayerKv } from '../model/transformer.ts';
import { disposeKv, takeRows } from './kv-rows.ts';

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

  /** Forgets everything. */
  clear(): void {
    this.dispose();
    this.#positions = new Int32Array(0);
  }

  /** Drops the rows of these positions, so that fresh ones can take their place. */
  drop(tf: Tf, positions: Int32Array): void {
    if (!this.#kv || positions.length === 0) return;
    const gone = new Set(positions);
    const rows = Array.from(this.#positions.keys()).filter(
      (row) => !gone.has(this.#positions[row]!),
    );
    const kept = takeRows(tf, this.#kv, rows);
    const left = Int32Array.from(rows, (row) => this.#positions[row]!);
    this.dispose();
    this.#kv = kept;
    this.#positions = left;
  }

  /** Copies positions [start, end) in ascending order; the caller owns the result. */
  copyRange(tf: Tf, start: number, end: number): LayerKv[] {
    if (!this.#kv) throw new Error('no KV yet');
    const rows = this.#rowsOf(start, end);
    const contiguous = rows.every((row, i) => row === rows[0]! + i);
    return tf.tidy(() => {
      const index = contiguous ? null : tf.tensor1d(rows, 'int32');
      const take = (t: Tensor3D): Tensor3D =>
        index
          ? tf.gather(t, index, 1)
          : tf.slice(t, [0, rows[0]!, 0], [t.shape[0], rows.length, t.shape[2]]);
      return this.#kv!.map(({ k, v }) => ({ k: take(k), v: take(v) }));
    });
  }

  dispose(): void {
    disposeKv(this.#kv);
    this.#kv = null;
  }

  #rowsOf(start: number, end: number): Int32Array {
    const rows = new Int32Array(end - start).fill(-1);
    for (let row = 0; row < this.#positions.length; row++) {
      const at = this.#positions[row]!;
      if (at >= start && at < end) rows[at - start] = row;
    }
    if (rows.includes(-1)) throw new Error('a position has no KV');
    return rows;
  }
}
