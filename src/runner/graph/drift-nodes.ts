// drift.ts as nodes: the past of each layer, moved by what the rows show.
import type { ModelConfig } from '../model/model-config.ts';
import { ports, type KvNodes, type LlamaParts, type RotaryNodes } from './llama-parts.ts';
import type { Node } from './saved-model.ts';

export class DriftNodes {
  readonly #parts: LlamaParts;
  readonly #config: ModelConfig;
  readonly #stale: readonly KvNodes[]; // by layer [kvHeads, rows, dim]
  readonly #average: Node; // [1, runs, rows]
  readonly #spread: Node; // [1, past, runs]
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
    this.#spread = graph.input(ports.spread, 'float32', [1, -1, -1]);
    this.#rows = parts.rotaryAt(positions);
    this.#past = parts.rotaryAt(pastPositions);
  }

  move(at: number, past: KvNodes, fresh: KvNodes): KvNodes {
    const { ops } = this.#parts;
    const stale = this.#stale[at]!;
    const byRun = (difference: Node): Node => ops.batchMatMul(this.#average, difference); // [kvHeads, runs, dim]
    const byKey = (mean: Node): Node => ops.batchMatMul(this.#spread, mean); // [kvHeads, past, dim]
    const turned = ops.binary('Sub', fresh.k, stale.k); // [kvHeads, rows, dim]
    const plain = ops.binary(
      'Sub',
      ops.binary('Mul', turned, this.#rows.cos),
      ops.binary('Mul', this.#swapped(turned), this.#rows.sin),
    );
    const mean = byRun(plain);
    const k = ops.binary(
      'AddV2',
      ops.binary('Mul', byKey(mean), this.#past.cos),
      // The halves are swapped while there are few of them.
      ops.binary('Mul', byKey(this.#swapped(mean)), this.#past.sin),
    ); // [kvHeads, past, dim]
    const v = byKey(byRun(ops.binary('Sub', fresh.v, stale.v))); // [kvHeads, past, dim]
    const moved = { k: ops.binary('AddV2', past.k, k), v: ops.binary('AddV2', past.v, v) };
    this.#moved.push(moved);
    return moved;
  }

  /** Once all layers are moved. */
  output(): void {
    this.#parts.outputKv({ k: ports.movedK, v: ports.movedV }, this.#moved);
  }

  #swapped(x: Node): Node {
    const { ops } = this.#parts;
    const { numKvHeads, headDim } = this.#config;
    const halves = ops.reshape(x, [-1, 2, headDim / 2]);
    return ops.reshape(ops.reverse(halves, 1), [numKvHeads, -1, headDim]);
  }
}
