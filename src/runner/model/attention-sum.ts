// How much attention each key receives, summed over rows, heads and layers beside the pass that computes it:
// the column sums by which top-ups choose (KVShare v2, arXiv 2503.16525 §4.3).
import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';

/** Layers [start, end). */
export interface LayerRange {
  readonly start: number;
  readonly end: number;
}

/** Hears the attention weights of one layer. */
export type AttentionListener = (weights: Tensor3D) => void; // [kvHeads, group * rows, keys]

export class AttentionSum {
  readonly #tf: Tf;
  readonly #layers: LayerRange;
  #sum: Tensor1D | null = null; // [keys]

  constructor(tf: Tf, layers: LayerRange) {
    this.#tf = tf;
    this.#layers = layers;
  }

  listener(layer: number): AttentionListener | null {
    if (layer < this.#layers.start || layer >= this.#layers.end) return null;
    return (weights) => {
      const byKey = this.#tf.sum<Tensor1D>(weights, [0, 1]); // [keys]
      const before = this.#sum;
      this.#sum = this.#tf.keep(before ? this.#tf.add(before, byKey) : byKey);
      before?.dispose();
    };
  }

  /** The caller owns it; undefined when no layer was listened to. */
  take(): Tensor1D | undefined {
    const sum = this.#sum ?? undefined;
    this.#sum = null;
    return sum;
  }

  dispose(): void {
    this.#sum?.dispose();
    this.#sum = null;
  }
}
