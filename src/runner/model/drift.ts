// What recomputing some tokens of an imported run says about the others. Where a run stands behind other text than
// its donor, the K and V that full prefill would give differ from the imported ones, token by token mostly at random,
// which attention averages out, but also by something that the whole run has in common, which it does not. The rows
// that are computed afresh anyway (seam, delimiters) show that part, layer by layer, before the layer attends: their
// mean difference, weakened, is added to the imported keys and values of their run. Keys are compared and moved as if
// they were not turned: the difference has no position.
import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { disposeBlock, type KvBlock } from './kv-block.ts';
import type { LayerKv } from './layer-parts.ts';
import { rotate, type RotaryRows } from './rotary.ts';

export interface Drift {
  /** K, turned to the rows' places, and V as they were imported; anything where a row has none. */
  readonly stale: KvBlock; // [layers, kvHeads, rows, headDim]
  /** What each row adds to its run's mean, times the strength; 0 where a row has none. Run 0 is of all other keys: nothing is added to it. */
  readonly average: Tensor3D; // [1, runs, rows]: the same for every head
  /** The run that each past key was imported with, 0 = with none. */
  readonly runOf: Tensor1D; // [past], int32
}

export function disposeDrift({ stale, average, runOf }: Drift): void {
  disposeBlock(stale);
  average.dispose();
  runOf.dispose();
}

/** What a chunk needs for every layer the same. */
export interface DriftRows extends Pick<Drift, 'average' | 'runOf'> {
  readonly rows: RotaryRows;
  readonly past: RotaryRows;
}

/** The past keys and values of one layer, moved. Call it inside tf.tidy. */
export function moveByDrift(
  tf: Tf,
  past: LayerKv,
  fresh: LayerKv,
  stale: LayerKv,
  { average, runOf, rows, past: pastRows }: DriftRows,
): LayerKv {
  const byRun = (difference: Tensor3D): Tensor3D => tf.matMul(average, difference); // [kvHeads, runs, headDim]
  const byKey = (mean: Tensor3D): Tensor3D => tf.gather(mean, runOf, 1); // [kvHeads, past, headDim]
  const turned: Tensor3D = tf.sub(fresh.k, stale.k); // [kvHeads, rows, headDim]
  const plain = rotate(tf, turned, rows.cos, tf.neg(rows.sin)); // [kvHeads, rows, headDim]
  const k = rotate(tf, byKey(byRun(plain)), pastRows.cos, pastRows.sin); // [kvHeads, past, headDim]
  const v = byKey(byRun(tf.sub(fresh.v, stale.v))); // [kvHeads, past, headDim]
  return { k: tf.add(past.k, k), v: tf.add(past.v, v) };
}
