// How fast a backend multiplies matrices of a model's sizes and does nothing else: the arithmetic limit that a prefill
// can be compared with. Random numbers, every weight a matrix of its own, as in the model.
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

function timeWeights(
  tf: Tf,
  { weights, head }: ModelSizes,
  rows: number,
  repeat: number,
): number[] {
  return tf.tidy(() => {
    const matrices = weights.map((shape) => tf.randomUniform([...shape]));
    const inputs = new Map(
      weights.map(([inner]) => [inner, tf.randomUniform([rows, inner])] as const),
    ); // [rows, inner]
    const last = tf.randomUniform([1, head[0]]); // [1, hidden]
    const table = tf.randomUniform([...head]); // [hidden, vocab]
    return timesOf(repeat, () => {
      tf.tidy(() => {
        for (const matrix of matrices) tf.matMul(inputs.get(matrix.shape[0])!, matrix); // [rows, columns]
        tf.matMul(last, table).dataSync(); // [1, vocab]
      });
    });
  });
}

function timeAttention(tf: Tf, { attention }: ModelSizes, rows: number, repeat: number): number[] {
  const { layers, kvHeads, group, headDim } = attention;
  return tf.tidy(() => {
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
    return timesOf(repeat, () => {
      tf.tidy(() => {
        for (let at = 0; at < layers; at++) layer();
        tf.slice(queries, [0, 0, 0], [1, 1, 1]).dataSync();
      });
    });
  });
}

/** Milliseconds of each run behind one that warms up. */
function timesOf(repeat: number, run: () => void): number[] {
  run();
  return Array.from({ length: repeat }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
}

/** The fastest of `repeat` runs: a limit is what the machine can do. */
export function timeBareProducts(
  tf: Tf,
  sizes: ModelSizes,
  { rows, repeat }: { readonly rows: number; readonly repeat: number },
): BareTimes {
  return {
    weightsMs: Math.min(...timeWeights(tf, sizes, rows, repeat)),
    attentionMs: Math.min(...timeAttention(tf, sizes, rows, repeat)),
  };
}
