// One token for each of several sequences, op by op. What multiplies rows with a matrix does it for all at once, so the
// weights are read once and a GPU is asked for a fraction of the ops; attention goes sequence by sequence, each over its
// own keys.
import type { Rank, Tensor2D, Tensor3D, Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { KvBlock } from './kv-block.ts';
import { growTail, type KvTail } from './kv-tail.ts';
import type { LayerKv, LayerParts } from './layer-parts.ts';
import type { ModelConfig } from './model-config.ts';
import type { RotaryTable } from './rotary.ts';
import type { ModelWeights } from './weights.ts';

/** One token for each of several sequences (rows). Everything stays the caller's. */
export interface DecodeInput {
  readonly ids: Int32Array; // [rows]
  readonly positions: Int32Array; // [rows]
  /** By row the keys that stay as they are. */
  readonly bases: readonly (KvBlock | null)[];
  /** The keys behind them: all that a step copies. */
  readonly tail: KvTail | null;
  /** By row its first own column of the tail. */
  readonly tailStarts: readonly number[];
}

/** The caller owns it all. */
export interface DecodeOutput {
  readonly logits: Tensor2D; // [rows, vocab]
  /** With one more column: the fresh keys. */
  readonly tail: KvTail;
}

export interface DecodeModel {
  readonly tf: Tf;
  readonly config: ModelConfig;
  readonly rotary: RotaryTable;
  readonly weights: ModelWeights;
  readonly parts: LayerParts;
}

/** All that one row may see in one layer: its base, its columns of the tail, itself. */
function keysOf(tf: Tf, input: DecodeInput, at: number, row: number, fresh: LayerKv): LayerKv {
  const { bases, tail, tailStarts } = input;
  const base = bases[row];
  const start = tailStarts[row]!;
  const join = (which: 'k' | 'v'): Tensor3D => {
    const [kvHeads, , headDim] = fresh.k.shape;
    const columns = tail ? tail[which].shape[3] - start : 0;
    const pieces: Tensor3D[] = [];
    if (base) {
      const layer = tf.slice<Rank.R4, Tensor4D>(base[which], [at, 0, 0, 0], [1, -1, -1, -1]);
      pieces.push(tf.reshape<Rank.R3>(layer, [kvHeads, -1, headDim]));
    }
    if (columns > 0) {
      const size: [number, number, number, number, number] = [1, 1, kvHeads, columns, headDim];
      const own = tf.slice(tail![which], [at, row, 0, start, 0], size);
      pieces.push(tf.reshape<Rank.R3>(own, [kvHeads, columns, headDim]));
    }
    pieces.push(tf.slice(fresh[which], [0, row, 0], [kvHeads, 1, headDim]));
    return pieces.length > 1 ? tf.concat(pieces, 1) : pieces[0]!; // [kvHeads, keys, headDim]
  };
  return { k: join('k'), v: join('v') };
}

export function decodeRows(model: DecodeModel, input: DecodeInput): DecodeOutput {
  const { tf, config, rotary, weights, parts } = model;
  const { ids, positions, tail } = input;
  const rows = ids.length;
  const { numLayers, numHeads, numKvHeads, headDim } = config;
  return tf.tidy(() => {
    const angles = rotary.rows(positions);
    let x = parts.embed(ids); // [rows, hidden]
    const fresh: LayerKv[] = [];
    for (let at = 0; at < numLayers; at++) {
      const layer = weights.layers[at]!;
      const done = tf.tidy(() => {
        const { q, ...own } = parts.project(layer, x, angles);
        const attended = Array.from({ length: rows }, (_, row) => {
          const { k, v } = keysOf(tf, input, at, row, own);
          const query = tf.slice(q, [0, row, 0], [numHeads, 1, headDim]);
          return parts.mix(parts.attentionWeights(query, { k, v }, null), v, 1); // [1, heads * headDim]
        });
        const h = tf.add<Tensor2D>(x, tf.matMul(tf.concat(attended, 0), layer.output)); // [rows, hidden]
        return { x: tf.add<Tensor2D>(h, parts.feedForward(layer, h)), ...own };
      });
      x = done.x;
      fresh.push(done);
    }
    const byRow = (which: 'k' | 'v'): Tensor5D => {
      const stacked = tf.stack(fresh.map((layer) => layer[which])); // [layers, kvHeads, rows, headDim]
      const turned = tf.transpose(stacked, [0, 2, 1, 3]); // [layers, rows, kvHeads, headDim]
      return tf.reshape<Rank.R5>(turned, [numLayers, rows, numKvHeads, 1, headDim]);
    };
    return { logits: parts.head(x), tail: growTail(tf, tail, byRow('k'), byRow('v')) };
  });
}
