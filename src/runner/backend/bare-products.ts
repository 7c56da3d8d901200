// How fast a backend multiplies matrices of a model's sizes and does nothing else: the arithmetic limit that a prefill
// can be compared with. Random numbers, every weight a matrix of its own, as in the model.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tf } from './backend-options.ts';

export interface ModelSizes {
  /** Rows and columns of every matrix that all tokens are multiplied with. */
  readonly weights: readonly (readonly [number, number])[];
  /** The one that only the last token is multiplied with. */
  readonly head: readonly [number, number];
  readonly attention: {
    readonly layers: number;
    readonly kvHeads: number;
    /** Query heads a KV head. */
    readonly group: number;
    readonly headDim: number;
  };
}

export interface BareTimes {
  readonly weightsMs: number;
  readonly attentionMs: number;
}

/** Rows of attention at once: what lies above the diagonal is computed for a block's last rows only. */
const BLOCK = 256;

async function timeWeights(
  tf: Tf,
  { weights, head }: ModelSizes,
  rows: number,
  repeat: number,
): Promise<number[]> {
  const held = tf.tidy(() => ({
    matrices: weights.map((shape) => tf.randomUniform([...shape])),
    inputs: Object.fromEntries(
      weights.map(([inner]) => [inner, tf.randomUniform([rows, inner])] as const),
    ), // [rows, inner]
    last: tf.randomUniform([1, head[0]]), // [1, hidden]
    table: tf.randomUniform([...head]), // [hidden, vocab]
  }));
  const times = await timesOf(tf, repeat, () => {
    for (const matrix of held.matrices) tf.matMul(held.inputs[matrix.shape[0]]!, matrix); // [rows, columns]
    return tf.matMul(held.last, held.table); // [1, vocab]
  });
  tf.dispose(held);
  return times;
}

async function timeAttention(
  tf: Tf,
  { attention }: ModelSizes,
  rows: number,
  repeat: number,
): Promise<number[]> {
  const { layers, kvHeads, group, headDim } = attention;
  const keys = tf.randomUniform([kvHeads, rows, headDim]); // [kvHeads, rows, headDim]
  const queries = tf.randomUniform([kvHeads, group * rows, headDim]); // [kvHeads, group * rows, headDim]
  const layer = (): void => {
    for (let start = 0; start < rows; start += BLOCK) {
      const end = Math.min(rows, start + BLOCK);
      const size = group * (end - start);
      const q = tf.slice(queries, [0, group * start, 0], [kvHeads, size, headDim]);
      const k = tf.slice(keys, [0, 0, 0], [kvHeads, end, headDim]);
      const scores = tf.matMul(q, k, false, true); // [kvHeads, group * block, end]
      tf.matMul(scores, k); // [kvHeads, group * block, headDim]
    }
  };
  const times = await timesOf(tf, repeat, () => {
    for (let at = 0; at < layers; at++) layer();
    return tf.slice(queries, [0, 0, 0], [1, 1, 1]);
  });
  tf.dispose([keys, queries]);
  return times;
}

/** Milliseconds of each run, until its result can be read, behind one that warms up. */
async function timesOf(tf: Tf, repeat: number, run: () => Tensor): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at <= repeat; at++) {
    const start = performance.now();
    const result = tf.tidy(run);
    await result.data();
    result.dispose();
    times.push(performance.now() - start);
  }
  return times.slice(1);
}

/** The fastest of `repeat` runs: a limit is what the machine can do. */
export async function timeBareProducts(
  tf: Tf,
  sizes: ModelSizes,
  { rows, repeat }: { readonly rows: number; readonly repeat: number },
): Promise<BareTimes> {
  return {
    weightsMs: Math.min(...(await timeWeights(tf, sizes, rows, repeat))),
    attentionMs: Math.min(...(await timeAttention(tf, sizes, rows, repeat))),
  };
}
