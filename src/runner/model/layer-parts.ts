// The parts of a layer, reading like the figure: norm, projections, attention, feed-forward. They know rows, not which
// tokens these are nor where their keys come from.
import type { Rank, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { ModelConfig } from './model-config.ts';
import { rotate, type RotaryRows } from './rotary.ts';
import type { LayerWeights, ModelWeights } from './weights.ts';

/** K (rotated) and V of one layer. */
export interface LayerKv {
  readonly k: Tensor3D; // [kvHeads, keys, headDim]
  readonly v: Tensor3D; // [kvHeads, keys, headDim]
}

export class LayerParts {
  readonly #tf: Tf;
  readonly #config: ModelConfig;
  readonly #weights: ModelWeights;

  constructor(tf: Tf, config: ModelConfig, weights: ModelWeights) {
    this.#tf = tf;
    this.#config = config;
    this.#weights = weights;
  }

  embed(ids: Int32Array): Tensor2D {
    return this.#tf.gather(this.#weights.embedding, this.#tf.tensor1d(ids, 'int32')); // [rows, hidden]
  }

  #normalise(x: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const meanSquare = tf.mean(tf.square(x), -1, true); // [rows, 1]
    return tf.mul(x, tf.rsqrt(tf.add(meanSquare, this.#config.rmsEps)));
  }

  project(
    weights: LayerWeights,
    x: Tensor2D,
    rotary: RotaryRows,
  ): LayerKv & { readonly q: Tensor3D } {
    const tf = this.#tf;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const rows = x.shape[0];
    const rotated = numHeads + numKvHeads;
    const qkv = tf.matMul(this.#normalise(x), weights.qkv); // [rows, (heads + 2 kvHeads) * headDim]
    const heads = tf.reshape(qkv, [rows, rotated + numKvHeads, headDim]);
    const byHead = tf.transpose(heads, [1, 0, 2]) as Tensor3D; // [heads + 2 kvHeads, rows, headDim]
    const qk = tf.slice(byHead, [0, 0, 0], [rotated, rows, headDim]);
    const turned = rotate(tf, qk, rotary.cos, rotary.sin);
    return {
      q: tf.slice(turned, [0, 0, 0], [numHeads, rows, headDim]),
      k: tf.slice(turned, [numHeads, 0, 0], [numKvHeads, rows, headDim]),
      v: tf.slice(byHead, [rotated, 0, 0], [numKvHeads, rows, headDim]),
    };
  }

  /** Grouped-query attention; query head h reads kv head floor(h / group). */
  attentionWeights(q: Tensor3D, kv: LayerKv, mask: Tensor2D | null): Tensor3D {
    const tf = this.#tf;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const rows = q.shape[1];
    const keys = kv.k.shape[1];
    const group = numHeads / numKvHeads;
    const grouped = tf.reshape<Rank.R3>(q, [numKvHeads, group * rows, headDim]);
    let scores: Tensor = tf.matMul(grouped, kv.k, false, true); // [kvHeads, group * rows, keys]
    if (mask) scores = tf.add(tf.reshape(scores, [numKvHeads, group, rows, keys]), mask);
    return tf.reshape(tf.softmax(scores), [numKvHeads, group * rows, keys]);
  }

  mix(attention: Tensor3D, v: Tensor3D, rows: number): Tensor2D {
    const tf = this.#tf;
    const { numHeads, headDim } = this.#config;
    const mixed = tf.matMul(attention, v); // [kvHeads, group * rows, headDim]
    const byRow = tf.transpose(tf.reshape(mixed, [numHeads, rows, headDim]), [1, 0, 2]);
    return tf.reshape(byRow, [rows, numHeads * headDim]);
  }

  feedForward(weights: LayerWeights, h: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const gateUp = tf.matMul(this.#normalise(h), weights.gateUp); // [rows, 2 * ffn]
    const [gate, up] = tf.split(gateUp, 2, 1) as [Tensor2D, Tensor2D];
    const silu = tf.mul(gate, tf.sigmoid(gate));
    return tf.matMul(tf.mul<Tensor2D>(silu, up), weights.down); // [rows, hidden]
  }

  head(x: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const normed = tf.mul<Tensor2D>(this.#normalise(x), this.#weights.outputNorm);
    return tf.matMul(normed, this.#weights.head, false, true); // [rows, vocab]
  }
}
