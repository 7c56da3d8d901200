// The forward pass of a BERT encoder (Devlin et al. 2018) with mean pooling (Reimers & Gurevych 2019), in
// TensorFlow.js ops. B texts, T tokens each after padding, H hidden, A heads of D = H / A.
import type { Rank, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import {
  EMBEDDING_NORM,
  layerParts,
  POSITIONS,
  TYPES,
  WORDS,
  weightShapes,
  type BertShape,
} from './bert-shape.ts';
import type { PaddedBatch } from './padded-batch.ts';

/** TensorFlow.js, whichever build: handed in by who runs a backend. */
export type Tf = typeof import('@tensorflow/tfjs-core');

/** Added to the scores of padding: its softmax share is exactly 0 in float32. */
const MASKED = -1e9;

type LayerParts = ReturnType<typeof layerParts>;

export class BertEncoder {
  readonly #tf: Tf;
  readonly #shape: BertShape;
  readonly #weights = new Map<string, Tensor>();

  /** Uploads the tensors of `weightShapes(shape)`; `dispose` frees them. */
  constructor(tf: Tf, shape: BertShape, values: ReadonlyMap<string, Float32Array>) {
    this.#tf = tf;
    this.#shape = shape;
    for (const [name, size] of Object.entries(weightShapes(shape))) {
      this.#weights.set(name, tf.tensor(values.get(name)!, [...size], 'float32'));
    }
  }

  /** Mean of the last hidden states over the tokens that are no padding: [B, H] row-major, not normalised. */
  async encode(batch: PaddedBatch): Promise<Float32Array> {
    const means = this.#tf.tidy(() => this.#means(batch));
    try {
      return (await means.data()) as Float32Array;
    } finally {
      means.dispose();
    }
  }

  dispose(): void {
    for (const tensor of this.#weights.values()) tensor.dispose();
    this.#weights.clear();
  }

  #weight(name: string): Tensor {
    const tensor = this.#weights.get(name);
    if (!tensor) throw new Error('the encoder is closed');
    return tensor;
  }

  #means({ ids, mask, count, length }: PaddedBatch): Tensor2D {
    const tf = this.#tf;
    const present = tf.tensor2d(mask, [count, length]); // [B, T]
    const absent = tf.reshape(tf.sub(1, present), [count, 1, 1, length]); // [B, 1, 1, T]
    const hide = tf.mul<Tensor4D>(absent, MASKED); // [B, 1, 1, T]
    let x = this.#embeddings(tf.tensor1d(ids, 'int32'), count, length); // [B*T, H]
    for (let layer = 0; layer < this.#shape.layers; layer++) {
      x = this.#layer(x, layerParts(layer), hide, count); // [B*T, H]
    }
    const states = tf.reshape(x, [count, length, this.#shape.hidden]); // [B, T, H]
    const kept = tf.mul(states, tf.expandDims(present, 2)); // [B, T, H]
    const tokens = tf.sum(present, 1, true); // [B, 1]
    return tf.div(tf.sum(kept, 1), tokens); // [B, H]
  }

  #embeddings(ids: Tensor1D, count: number, length: number): Tensor2D {
    const tf = this.#tf;
    const { hidden } = this.#shape;
    const words = tf.gather(this.#weight(WORDS), ids); // [B*T, H]
    const positions = tf.slice(this.#weight(POSITIONS), [0, 0], [length, hidden]); // [T, H]
    const type = tf.slice(this.#weight(TYPES), [0, 0], [1, hidden]); // [1, H]
    const shared = tf.add(positions, type); // [T, H]
    const sum = tf.add<Tensor3D>(tf.reshape(words, [count, length, hidden]), shared); // [B, T, H]
    return this.#normalise(tf.reshape(sum, [count * length, hidden]), EMBEDDING_NORM); // [B*T, H]
  }

  #layer(x: Tensor2D, part: LayerParts, hide: Tensor4D, count: number): Tensor2D {
    const tf = this.#tf;
    const attended = this.#dense(this.#attend(x, part, hide, count), part.attended); // [B*T, H]
    const middle = this.#normalise(tf.add(x, attended), part.attentionNorm); // [B*T, H]
    const wide = this.#gelu(this.#dense(middle, part.widen)); // [B*T, inner]
    return this.#normalise(tf.add(middle, this.#dense(wide, part.narrow)), part.outputNorm); // [B*T, H]
  }

  #attend(x: Tensor2D, part: LayerParts, hide: Tensor4D, count: number): Tensor2D {
    const tf = this.#tf;
    const { hidden, heads } = this.#shape;
    const [rows] = x.shape;
    const width = hidden / heads;
    const split = (name: string): Tensor4D => {
      const all = tf.reshape<Rank.R4>(this.#dense(x, name), [count, rows / count, heads, width]); // [B, T, A, D]
      return tf.transpose(all, [0, 2, 1, 3]); // [B, A, T, D]
    };
    const products = tf.matMul<Tensor4D>(split(part.query), split(part.key), false, true); // [B, A, T, T]
    const scores = tf.add<Tensor4D>(tf.mul(products, 1 / Math.sqrt(width)), hide); // [B, A, T, T]
    const mixed = tf.matMul<Tensor4D>(tf.softmax(scores), split(part.value)); // [B, A, T, D]
    return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [rows, hidden]); // [B*T, H]
  }

  #dense(x: Tensor2D, name: string): Tensor2D {
    const tf = this.#tf;
    const product = tf.matMul<Tensor2D>(x, this.#weight(`${name}.weight`), false, true); // [B*T, out]
    return tf.add(product, this.#weight(`${name}.bias`)); // [B*T, out]
  }

  #normalise(x: Tensor2D, name: string): Tensor2D {
    const tf = this.#tf;
    const centred = tf.sub(x, tf.mean(x, 1, true)); // [B*T, H]
    const variance = tf.mean(tf.square(centred), 1, true); // [B*T, 1]
    const unit = tf.mul(centred, tf.rsqrt(tf.add(variance, this.#shape.layerNormEpsilon))); // [B*T, H]
    const scaled = tf.mul(unit, this.#weight(`${name}.weight`)); // [B*T, H]
    return tf.add(scaled, this.#weight(`${name}.bias`)); // [B*T, H]
  }

  /** The exact one; the tanh approximation is off by up to 5e-4 a layer. */
  #gelu(x: Tensor2D): Tensor2D {
    const tf = this.#tf;
    const share = tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1); // [B*T, inner]
    return tf.mul(tf.mul(x, 0.5), share); // [B*T, inner]
  }
}
