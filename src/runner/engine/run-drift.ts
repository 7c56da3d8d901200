// What the recomputed tokens of imported runs show about the rest of their run (model/drift.ts), chunk by chunk: the
// first chunk that computes tokens of a run moves the run's imported keys, once. Holds tensors: dispose it.
import type { TokenRange } from '../../kv/index.ts';
import type { Tf } from '../backend/index.ts';
import { disposeBlock } from '../model/kv-block.ts';
import type { Drift } from '../model/drift.ts';
import type { ImportedKv } from './import-kv.ts';

export interface RunDriftOptions {
  /** Share of the mean difference that is added, above 0, at most 1. */
  readonly strength: number;
  /** Imported stretches, sorted. */
  readonly runs: readonly TokenRange[];
  /** What was imported for tokens that are computed again; its own from now on. */
  readonly stale: ImportedKv;
  /** Imported positions that stay imported. */
  readonly kept: Int32Array;
}

export class RunDrift {
  readonly #strength: number;
  readonly #stale: ImportedKv;
  readonly #rowAt: ReadonlyMap<number, number>;
  readonly #kept: ReadonlySet<number>;
  #left: readonly TokenRange[];

  constructor({ strength, runs, stale, kept }: RunDriftOptions) {
    this.#strength = strength;
    this.#stale = stale;
    this.#rowAt = new Map(Array.from(stale.positions, (position, row) => [position, row]));
    this.#kept = new Set(kept);
    this.#left = runs;
  }

  /** For a chunk of rows behind these keys; null when it shows nothing new. The caller disposes it. */
  of(tf: Tf, rows: Int32Array, keys: Int32Array): Drift | null {
    const within = ({ start, end }: TokenRange): number[] =>
      [...rows.keys()].filter((i) => {
        const at = rows[i]!;
        return at >= start && at < end && this.#rowAt.has(at);
      });
    const shown = this.#left
      .map((run) => ({ run, members: within(run) }))
      .filter(({ members }) => members.length > 0);
    if (shown.length === 0) return null;
    this.#left = this.#left.filter((run) => !shown.some((one) => one.run === run));
    // The first one stays 0.
    const runs = 1 + shown.length;
    const average = new Float32Array(runs * rows.length);
    const runOf = new Int32Array(keys.length);
    shown.forEach(({ run, members }, at) => {
      for (const row of members) {
        average[(1 + at) * rows.length + row] = this.#strength / members.length;
      }
      keys.forEach((key, i) => {
        const isOwn = key >= run.start && key < run.end && this.#kept.has(key);
        if (isOwn) runOf[i] = 1 + at;
      });
    });
    const index = tf.tensor1d(
      Int32Array.from(rows, (position) => this.#rowAt.get(position) ?? 0),
      'int32',
    );
    const { k, v } = this.#stale.kv;
    const stale = { k: tf.gather(k, index, 2), v: tf.gather(v, index, 2) }; // [layers, kvHeads, rows, headDim]
    index.dispose();
    return {
      stale,
      average: tf.tensor3d(average, [1, runs, rows.length]),
      runOf: tf.tensor1d(runOf, 'int32'),
    };
  }

  dispose(): void {
    disposeBlock(this.#stale.kv);
  }
}
