// The forward pass of transformer.ts as one TensorFlow graph: the same formulas, node by node, so that
// about 900 dispatches of single ops become one. Weights, past KV and the rotary table are inputs.
import type { LayerRange } from '../model/attention-sum.ts';
import type { ModelConfig } from '../model/model-config.ts';
import { HIDDEN } from '../model/transformer.ts';
import type { Precision } from '../precisions.ts';
import { DriftNodes } from './drift-nodes.ts';
import { LlamaParts, ports, type KvNodes } from './llama-parts.ts';
import type { GraphBuilder, Node } from './saved-model.ts';

/** Only the last row's logits are computed; `none` = a chunk that is followed by another one. */
export type GraphKind = 'last-logits' | 'none';

/** Which part of the network a graph runs. */
export interface GraphSpec {
  /** Layers [first, end); from the embedding when `first` is 0, else from rows that arrive as input. */
  readonly first: number;
  readonly end: number;
  /** What is wanted behind the model's last layer; a graph that ends before gives its rows. */
  readonly kind: GraphKind;
  /** Layers whose attention is summed up by key. */
  readonly attentionOf: LayerRange | null;
  /** The past is moved by what the rows show; all layers only. */
  readonly drifts: boolean;
}

interface AttentionInputs {
  readonly q: Node; // [heads, rows, dim]
  readonly k: Node; // [kvHeads, keys, dim]
  readonly v: Node; // [kvHeads, keys, dim]
  readonly mask: Node; // [rows, keys]
  readonly summed: boolean;
}

class LlamaGraph {
  readonly #config: ModelConfig;
  readonly #parts: LlamaParts;
  readonly #mask: Node; // [rows, keys]
  readonly #spec: GraphSpec;
  readonly #past: readonly KvNodes[]; // by layer [kvHeads, past, dim]
  readonly #drift: DriftNodes | null;
  readonly #fresh: KvNodes[] = []; // by layer [kvHeads, rows, dim]
  #attention: Node | null = null; // [keys]

  constructor(graph: GraphBuilder, config: ModelConfig, spec: GraphSpec, precision: Precision) {
    this.#config = config;
    this.#spec = spec;
    const positions = graph.input(ports.positions, 'int32', [-1]); // [rows]
    this.#parts = new LlamaParts(graph, config, { positions, precision, order: 'by-head' });
    const pastPositions = graph.input(ports.pastPositions, 'int32', [-1]); // [past]
    this.#mask = this.#visibility(positions, pastPositions);
    const layers = spec.end - spec.first;
    this.#past = this.#parts.inputKv({ k: ports.pastK, v: ports.pastV }, layers);
    const where = { positions, pastPositions };
    this.#drift = spec.drifts ? new DriftNodes(this.#parts, config, where) : null;
  }

  run(): void {
    const { first, end, kind } = this.#spec;
    const { numLayers, hiddenSize } = this.#config;
    const { graph } = this.#parts.ops;
    let x: Node | null =
      first === 0 ? this.#parts.embed() : graph.input(ports.hiddenIn, 'float32', [-1, hiddenSize]);
    for (let at = first; at < end && x; at++) {
      x = this.#layer(at, x, at === numLayers - 1 ? kind : 'all');
    }
    if (x && end < numLayers) graph.output(ports.hiddenOut, x, 'float32', [-1, hiddenSize]);
    else if (x) graph.output(ports.logits, this.#parts.head(x), 'float32', [-1, -1]);
    this.#parts.outputKv(ports, this.#fresh);
    this.#drift?.output();
    if (this.#attention) graph.output(ports.attention, this.#attention, 'float32', [-1]);
  }

  /** A key is hidden when it stands behind the query (design: runner rule 2). */
  #visibility(positions: Node, past: Node): Node {
    const { ops } = this.#parts;
    const keys = ops.concat([past, positions], 0, 'int32'); // [keys]
    const behind = ops.greater(keys, ops.reshape(positions, [-1, 1], 'int32')); // [rows, keys]
    return ops.binary('Mul', behind, ops.graph.constant([HIDDEN], [], 'float32'));
  }

  /** One block. `tail` keeps the last row only (or none). */
  #layer(at: number, x: Node, tail: 'all' | GraphKind): Node | null {
    const { ops } = this.#parts;
    const index = at - this.#spec.first;
    const fresh = this.#parts.project(at, x);
    this.#fresh.push(fresh);
    const { attentionOf } = this.#spec;
    const found = this.#past[index]!;
    const past = this.#drift ? this.#drift.move(index, found, fresh) : found;
    const all = {
      q: fresh.q,
      k: ops.concat([past.k, fresh.k], 1), // [kvHeads, keys, dim]
      v: ops.concat([past.v, fresh.v], 1), // [kvHeads, keys, dim]
      mask: this.#mask,
      summed: attentionOf !== null && at >= attentionOf.start && at < attentionOf.end,
    };
    if (tail === 'all') return this.#parts.feed(at, x, this.#attended(all));
    if (tail === 'none') {
      if (all.summed) this.#attentionWeights(all);
      return null;
    }
    const last = (node: Node, axis: number, rank: number): Node => this.#lastOf(node, axis, rank);
    const ofLast = { ...all, q: last(all.q, 1, 3), mask: last(this.#mask, 0, 2) };
    return this.#parts.feed(at, last(x, 0, 2), this.#attended(ofLast));
  }

  #lastOf(x: Node, axis: number, rank: number): Node {
    const { ops } = this.#parts;
    const size = Array.from({ length: rank }, (_, i) => (i === axis ? 1 : -1));
    return ops.slice(
      ops.reverse(x, axis),
      size.map(() => 0),
      size,
    );
  }

  #attentionWeights({ q, k, mask, summed }: AttentionInputs): Node {
    const { ops } = this.#parts;
    const { numHeads, numKvHeads, headDim } = this.#config;
    // [kvHeads, group, rows, dim] x [kvHeads, 1, keys, dim]: the mask then broadcasts without reshapes.
    const grouped = ops.reshape(q, [numKvHeads, numHeads / numKvHeads, -1, headDim]);
    const keys = ops.reshape(k, [numKvHeads, 1, -1, headDim]);
    const scores = ops.binary('AddV2', ops.batchMatMul(grouped, keys, true), mask);
    const weights = ops.unary('Softmax', scores); // [kvHeads, group, rows, keys]
    if (summed) {
      const byKey = ops.sum(weights, [0, 1, 2]); // [keys]
      this.#attention = this.#attention ? ops.binary('AddV2', this.#attention, byKey) : byKey;
    }
    return weights;
  }

  #attended(inputs: AttentionInputs): Node {
    const { ops } = this.#parts;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const values = ops.reshape(inputs.v, [numKvHeads, 1, -1, headDim]);
    const mixed = ops.batchMatMul(this.#attentionWeights(inputs), values); // [kvHeads, group, rows, dim]
    const byRow = ops.transpose(ops.reshape(mixed, [numHeads, -1, headDim]), [1, 0, 2]);
    return ops.reshape(byRow, [-1, numHeads * headDim]); // [rows, heads * dim]
  }
}

/** Adds the graph of this part of the model to the signature that was begun. */
export function addLlamaGraph(
  graph: GraphBuilder,
  config: ModelConfig,
  spec: GraphSpec,
  precision: Precision,
): void {
  new LlamaGraph(graph, config, spec, precision).run();
}
