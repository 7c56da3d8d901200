// One step of decoding for several sequences as one TensorFlow graph: the weights are read once for all of
// them, attention runs over each one's own keys. Keys come in two parts so that nothing long is copied:
// each row's `base` stays as it is; the latest keys of all rows share one short `tail`, which grows by a
// column and is given back. Scores over the bases are padded to one length, so that softmax and everything
// about the tail are single ops for all rows.
import type { ModelConfig } from '../model/model-config.ts';
import { HIDDEN } from '../model/transformer.ts';
import type { Precision } from '../precisions.ts';
import { LlamaParts, ports } from './llama-parts.ts';
import type { GraphBuilder, Node } from './saved-model.ts';

export const decodePorts = {
  tailK: 'tail_k',
  tailV: 'tail_v',
  /** [rows, 1, 1, tail + 1]: HIDDEN where a column is not the row's own. */
  tailMask: 'tail_mask',
  /** [2]: keys in the longest base, columns of the grown tail. */
  sizes: 'sizes',
  grownK: 'grown_k',
  grownV: 'grown_v',
  baseK: (row: number): string => `base_k_${row}`,
  baseV: (row: number): string => `base_v_${row}`,
  /** [3, 2]: what pads the row's scores to the longest base. */
  padding: (row: number): string => `padding_${row}`,
  /** [4]: shape of the row's own scores within all of them. */
  scores: (row: number): string => `scores_${row}`,
};

interface Row {
  /** By layer [kvHeads, base, dim]. */
  readonly baseK: readonly Node[];
  readonly baseV: readonly Node[];
  readonly padding: Node;
  readonly scores: Node;
}

class DecodeGraph {
  readonly #config: ModelConfig;
  readonly #parts: LlamaParts;
  readonly #rows: readonly Row[];
  readonly #tailK: readonly Node[]; // by layer [rows, kvHeads, tail, dim]
  readonly #tailV: readonly Node[]; // by layer [rows, kvHeads, tail, dim]
  readonly #tailMask: Node;
  readonly #sizes: Node;
  readonly #hidden: Node;
  readonly #grownK: Node[] = []; // by layer [rows, kvHeads, tail + 1, dim]
  readonly #grownV: Node[] = []; // by layer [rows, kvHeads, tail + 1, dim]

  constructor(graph: GraphBuilder, config: ModelConfig, batch: number, precision: Precision) {
    this.#config = config;
    const positions = graph.input(ports.positions, 'int32', [-1]);
    this.#parts = new LlamaParts(graph, config, { positions, precision, order: 'by-row' });
    const { numLayers, numKvHeads, headDim } = config;
    const layers = (name: string, shape: readonly number[]): Node[] =>
      this.#parts.ops.unstack(graph.input(name, 'float32', [numLayers, ...shape]), numLayers);
    this.#rows = Array.from({ length: batch }, (_, row) => ({
      baseK: layers(decodePorts.baseK(row), [numKvHeads, -1, headDim]),
      baseV: layers(decodePorts.baseV(row), [numKvHeads, -1, headDim]),
      padding: graph.input(decodePorts.padding(row), 'int32', [3, 2]),
      scores: graph.input(decodePorts.scores(row), 'int32', [4]),
    }));
    this.#tailK = layers(decodePorts.tailK, [batch, numKvHeads, -1, headDim]);
    this.#tailV = layers(decodePorts.tailV, [batch, numKvHeads, -1, headDim]);
    this.#tailMask = graph.input(decodePorts.tailMask, 'float32', [batch, 1, 1, -1]);
    this.#sizes = graph.input(decodePorts.sizes, 'int32', [2]);
    this.#hidden = graph.constant([HIDDEN], [], 'float32');
  }

  run(): void {
    const { numLayers, numKvHeads, headDim } = this.#config;
    const { graph } = this.#parts.ops;
    let x = this.#parts.embed(); // [rows, hidden]
    for (let at = 0; at < numLayers; at++) x = this.#parts.feed(at, x, this.#attended(at, x));
    graph.output(ports.logits, this.#parts.head(x), 'float32', [-1, -1]);
    const shape = [numLayers, this.#rows.length, numKvHeads, -1, headDim];
    const { ops } = this.#parts;
    graph.output(decodePorts.grownK, ops.stack(this.#grownK), 'float32', shape);
    graph.output(decodePorts.grownV, ops.stack(this.#grownV), 'float32', shape);
  }

  /** x [rows, hidden] → [rows, heads * dim] */
  #attended(at: number, x: Node): Node {
    const { ops } = this.#parts;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const projected = this.#parts.project(at, x);
    const byHead = (node: Node, queries: number): Node =>
      ops.reshape(node, [-1, numKvHeads, queries, headDim]);
    const q = byHead(projected.q, numHeads / numKvHeads); // [rows, kvHeads, group, dim]
    const tailK = ops.concat([this.#tailK[at]!, byHead(projected.k, 1)], 2); // [rows, kvHeads, tail + 1, dim]
    const tailV = ops.concat([this.#tailV[at]!, byHead(projected.v, 1)], 2); // [rows, kvHeads, tail + 1, dim]
    this.#grownK.push(tailK);
    this.#grownV.push(tailV);
    const ofBases = this.#baseScores(at, q); // [rows, kvHeads, group, longest]
    const ofTail = ops.binary('AddV2', ops.batchMatMul(q, tailK, true), this.#tailMask);
    const weights = ops.unary('Softmax', ops.concat([ofBases, ofTail], 3));
    const [toBases, toTail] = ops.split(weights, this.#sizes, 3, 2);
    const mixed = ops.binary(
      'AddV2',
      this.#mixBases(at, toBases!),
      ops.batchMatMul(toTail!, tailV),
    ); // [rows, kvHeads, group, dim]
    return ops.reshape(mixed, [-1, numHeads * headDim]);
  }

  #baseScores(at: number, q: Node): Node {
    const { ops } = this.#parts;
    const queries = ops.unstack(q, this.#rows.length); // by row [kvHeads, group, dim]
    return ops.stack(
      this.#rows.map(({ baseK, padding }, row) => {
        const scores = ops.batchMatMul(queries[row]!, baseK[at]!, true); // [kvHeads, group, base]
        return ops.pad(scores, padding, this.#hidden);
      }),
    );
  }

  /** weights [rows, kvHeads, group, longest] → [rows, kvHeads, group, dim] */
  #mixBases(at: number, weights: Node): Node {
    const { ops } = this.#parts;
    return ops.concat(
      this.#rows.map(({ baseV, scores }, row) => {
        const own = ops.sliceTo(weights, [row, 0, 0, 0], scores); // [1, kvHeads, group, base]
        return ops.batchMatMul(own, baseV[at]!); // [1, kvHeads, group, dim]
      }),
      0,
    );
  }
}

/** Adds a step of `batch` sequences to the signature that was begun. */
export function addDecodeGraph(
  graph: GraphBuilder,
  config: ModelConfig,
  batch: number,
  precision: Precision,
): void {
  new DecodeGraph(graph, config, batch, precision).run();
}
