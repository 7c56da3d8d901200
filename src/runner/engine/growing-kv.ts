// The KV of some layers while a prompt is computed: what was there before, and the rows of each chunk behind it.
import type { Transformer, ForwardInput, ForwardOutput, LayerKv } from '../model/transformer.ts';
import { disposeKv, joinPositions } from './kv-rows.ts';

export interface ChunkInput {
  readonly tokens: readonly number[];
  readonly rows: Int32Array;
  readonly logitRows: number;
  readonly part?: ForwardInput['part'];
}

export class GrowingKv {
  #kv: readonly LayerKv[] | null;
  #positions: Int32Array;

  /** Takes ownership of `kv`. */
  constructor(kv: readonly LayerKv[] | null, positions: Int32Array) {
    this.#kv = kv;
    this.#positions = positions;
  }

  get kv(): readonly LayerKv[] | null {
    return this.#kv;
  }

  /** Target position by row. */
  get positions(): Int32Array {
    return this.#positions;
  }

  /** Computes a chunk over what is here and adds it. */
  compute(model: Transformer, { tokens, rows, logitRows, part }: ChunkInput): ForwardOutput {
    const output = model.forward({
      ids: Int32Array.from(rows, (at) => tokens[at]!),
      positions: rows,
      past: this.#kv,
      pastPositions: this.#positions,
      logitRows,
      ...(part && { part }),
    });
    disposeKv(this.#kv);
    this.#kv = output.kv;
    this.#positions = joinPositions(this.#positions, rows);
    return output;
  }

  /** Hands the tensors over. */
  release(): readonly LayerKv[] {
    const kv = this.#kv ?? [];
    this.#kv = null;
    return kv;
  }

  dispose(): void {
    disposeKv(this.#kv);
    this.#kv = null;
  }
}
