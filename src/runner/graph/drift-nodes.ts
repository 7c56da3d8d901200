// drift.ts as nodes: the past of each layer, moved by what the rows show.
import type { ModelConfig } from '../model/model-config.ts';
import { ports, type KvNodes, type LlamaParts, type RotaryNodes } from './llama-parts.ts';
import type { Node } from './saved-model.ts';

export class DriftNodes {
  readonly #parts: LlamaParts;
  readonly #config: ModelConfig;
  readonly #stale: readonly KvNodes[]; // by layer [kvHeads, rows, dim]
  readonly #average: Node; // [1, runs, rows]
  readonly #runOf: Node; // [past]
  readonly #rows: RotaryNodes;
  readonly #past: RotaryNodes;
  readonly #moved: KvNodes[] = []; // by layer [kvHeads, past, dim]

  constructor(
    parts: LlamaParts,
    config: ModelConfig,
    { positions, pastPositions }: { positions: Node; pastPositions: Node },
  ) {
    this.#parts = parts;
    this.#config = config;
    const { graph } = parts.ops;
    this.#stale = parts.inputKv({ k: ports.staleK, v: ports.staleV }, config.numLayers);
    this.#average = graph.input(ports.average, 'float32', [1, -1, -1]);
    this.#runOf = graph.input(ports.runOf, 'int32', [-1]);
    this.#rows = parts.rotaryAt(positions);
    this.#past = parts.rotaryAt(pastPositions);
  }

  move(at: number, past: KvNodes, fresh: KvNodes): KvNodes {
    const { ops } = this.#parts;
    const { numKvHeads, headDim } = this.#config;
    const stale = this.#stale[at]!;
    const turned = ops.binary('Sub', fresh.k, stale.k); // [kvHeads, rows, dim]
    const plain = ops.binary(
      'Sub',
      ops.binary('Mul', turned, this.#rows.cos),
      ops.binary('Mul', this.#parts.swapped(turned, numKvHeads), this.#rows.sin),
    );
    const both = ops.concat([plain, ops.binary('Sub', fresh.v, stale.v)], 2); // [kvHeads, rows, 2 * dim]
    const mean = ops.batchMatMul(this.#average, both); // [kvHeads, runs, 2 * dim]
    const half = (first: number): Node => ops.slice(mean, [0, 0, first], [-1, -1, headDim]);
    const meanK = half(0);
    const byKey = (ofRun: Node): Node => ops.gather(ofRun, this.#runOf, 1); // [kvHeads, past, dim]
    // The halves are swapped while there are few of them.
    const swapped = byKey(this.#parts.swapped(meanK, numKvHeads));
    const k = ops.addAll([
      past.k,
      ops.binary('Mul', byKey(meanK), this.#past.cos),
      ops.binary('Mul', swapped, this.#past.sin),
    ]);
    const moved = { k, v: ops.binary('AddV2', past.v, byKey(half(headDim))) };
    this.#moved.push(moved);
    return moved;
  }

  /** Once all layers are moved. */
  output(): void {
    this.#parts.outputKv({ k: ports.movedK, v: ports.movedV }, this.#moved);
  }
}
