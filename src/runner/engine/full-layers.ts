// The first layers of a prompt, computed for every token but the exact imports, before it is known which
// tokens go on: what CacheBlend (arXiv 2405.16444 §4.3) and KVShare v2 (arXiv 2503.16525 §4.3) choose by,
// and what lets unequal tokens be imported further up. Holds tensors: dispose it.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { forwardRows, type StepContext } from './forward-rows.ts';
import { LiveKv } from './live-kv.ts';
import type { Sequence } from './sequence.ts';
import type { Work } from './work.ts';

/** The layer whose V and attention are compared: the first that has seen its context (CacheBlend §4.3). */
export const SCORED_LAYER = 1;

export class FullLayers {
  /** Layers [0, count). */
  readonly kv = new LiveKv();
  readonly count: number;
  #positions = new Int32Array(0);
  #hidden: Tensor2D[] = []; // [rows, hidden] by chunk

  constructor(count: number) {
    this.count = count;
  }

  /** Computes all positions but the exact imports. `attention` [tokens]: column sums of the scored layer, added. */
  *compute(sequence: Sequence, step: StepContext, attention: Float64Array | null): Work<void> {
    const { live, kept, fresh } = sequence;
    this.#positions = Int32Array.from([...kept, ...fresh]).sort();
    const computed = new Set(this.#positions);
    const exact = live.positions.filter((position) => !computed.has(position));
    if (exact.length > 0) this.kv.append(live.copyRows(step.model.tf, exact, 0, this.count), exact);
    const scored = { start: SCORED_LAYER, end: SCORED_LAYER + 1 };
    yield* forwardRows(sequence, step, {
      positions: this.#positions,
      kv: this.kv,
      part: { first: 0, end: this.count, hidden: null, ...(attention && { attentionOf: scored }) },
      logits: false,
      onChunk: ({ hidden, attention: sums, keys }) => {
        this.#hidden.push(hidden!);
        sums?.forEach((sum, key) => (attention![keys[key]!]! += sum));
      },
    });
  }

  /** The rows that go on, in this order; the caller owns the result. */
  hiddenOf(tf: Tf, positions: Int32Array): Tensor2D | null {
    if (this.count === 0) return null;
    const rowAt = new Map(Array.from(this.#positions, (position, row) => [position, row]));
    const rows = positions.map((position) => rowAt.get(position)!);
    return tf.tidy(() => {
      const all = this.#hidden.length === 1 ? this.#hidden[0]! : tf.concat(this.#hidden, 0);
      return tf.gather(all, tf.tensor1d(rows, 'int32')); // [rows, hidden]
    });
  }

  dispose(): void {
    this.kv.clear();
    for (const chunk of this.#hidden) chunk.dispose();
    this.#hidden = [];
  }
}
