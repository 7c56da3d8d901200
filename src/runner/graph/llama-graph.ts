// The forward pass of transformer.ts as one TensorFlow graph: the same formulas, node by node, so that
// about 900 dispatches of single ops become one. Weights, past KV, rotary tables and mask are inputs.
import type { ModelConfig } from '../model/model-config.ts';
import type { LayerRange } from '../model/attention-sum.ts';
import { Ops } from './ops.ts';
import { GraphBuilder, type Node } from './saved-model.ts';

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
}

/** Names of the graph's inputs and outputs. */
export const ports = {
  ids: 'ids',
  cos: 'cos',
  sin: 'sin',
  mask: 'mask',
  embedding: 'embedding',
  outputNorm: 'output_norm',
  head: 'head',
  weight: (layer: number, name: string): string => `w_${layer}_${name}`,
  pastK: (layer: number): string => `past_k_${layer}`,
  pastV: (layer: number): string => `past_v_${layer}`,
  k: (layer: number): string => `k_${layer}`,
  v: (layer: number): string => `v_${layer}`,
  logits: 'logits',
  hiddenIn: 'hidden_in',
  hiddenOut: 'hidden_out',
  attention: 'attention',
};

interface AttentionInputs {
  readonly q: Node; // [heads, rows, dim]
  readonly k: Node; // [kvHeads, keys, dim]
  readonly v: Node; // [kvHeads, keys, dim]
  readonly mask: Node; // [rows, keys]
  readonly summed: boolean;
}

class LlamaGraph {
  readonly #config: ModelConfig;
  readonly #ops: Ops;
  readonly #eps: Node;
  readonly #cos: Node;
  readonly #sin: Node;
  readonly #mask: Node;
  readonly #attentionOf: LayerRange;
  #attention: Node | null = null; // [keys]

  constructor(graph: GraphBuilder, config: ModelConfig, attentionOf: LayerRange | null) {
    this.#config = config;
    this.#attentionOf = attentionOf ?? { start: 0, end: 0 };
    this.#ops = new Ops(graph);
    this.#eps = graph.constant([config.rmsEps], [], 'float32');
    this.#cos = graph.input(ports.cos, 'float32', [-1, config.headDim]);
    this.#sin = graph.input(ports.sin, 'float32', [-1, config.headDim]);
    this.#mask = graph.input(ports.mask, 'float32', [-1, -1]);
  }

  embed(): Node {
    const { graph } = this.#ops;
    const { vocabSize, hiddenSize } = this.#config;
    const table = graph.input(ports.embedding, 'float32', [vocabSize, hiddenSize]);
    return this.#ops.gatherRows(table, graph.input(ports.ids, 'int32', [-1])); // [rows, hidden]
  }

  hiddenInput(): Node {
    return this.#ops.graph.input(ports.hiddenIn, 'float32', [-1, this.#config.hiddenSize]);
  }

  hiddenOutput(x: Node): void {
    const shape = [-1, this.#config.hiddenSize];
    this.#ops.graph.output(ports.hiddenOut, x, 'float32', shape);
  }

  attentionOutput(): void {
    if (this.#attention) this.#ops.graph.output(ports.attention, this.#attention, 'float32', [-1]);
  }

  /** One block; declares the layer's K and V as outputs. `tail` keeps the last row only (or none). */
  layer(at: number, x: Node, tail: 'all' | GraphKind): Node | null {
    const o = this.#ops;
    const { numHeads, numKvHeads, headDim, hiddenSize } = this.#config;
    const rotated = numHeads + numKvHeads;
    const width = (rotated + numKvHeads) * headDim;
    const qkv = o.matMul(this.#normalise(x), this.#weight(at, 'qkv', [hiddenSize, width])); // [rows, width]
    const byHead = o.transpose(o.reshape(qkv, [-1, rotated + numKvHeads, headDim]), [1, 0, 2]); // [heads, rows, dim]
    const turned = this.#rotate(o.slice(byHead, [0, 0, 0], [rotated, -1, -1]), rotated);
    const k = this.#joined(
      ports.pastK(at),
      ports.k(at),
      o.slice(turned, [numHeads, 0, 0], [-1, -1, -1]),
    );
    const v = this.#joined(
      ports.pastV(at),
      ports.v(at),
      o.slice(byHead, [rotated, 0, 0], [-1, -1, -1]),
    );
    const summed = at >= this.#attentionOf.start && at < this.#attentionOf.end;
    const q = o.slice(turned, [0, 0, 0], [numHeads, -1, -1]); // [heads, rows, dim]
    const all = { q, k, v, mask: this.#mask, summed };
    if (tail === 'all') return this.#block(at, x, all);
    if (tail === 'none') {
      if (summed) this.#attentionWeights(all);
      return null;
    }
    const last = (node: Node, axis: number, rank: number): Node => this.#lastOf(node, axis, rank);
    const ofLast = { q: last(q, 1, 3), k, v, mask: last(this.#mask, 0, 2), summed };
    return this.#block(at, last(x, 0, 2), ofLast);
  }

  head(x: Node): void {
    const o = this.#ops;
    const { hiddenSize, vocabSize } = this.#config;
    const norm = o.graph.input(ports.outputNorm, 'float32', [hiddenSize]);
    const table = o.graph.input(ports.head, 'float32', [vocabSize, hiddenSize]);
    const logits = o.matMul(o.binary('Mul', this.#normalise(x), norm), table, true); // [1, vocab]
    o.graph.output(ports.logits, logits, 'float32', [-1, vocabSize]);
  }

  #weight(at: number, name: string, shape: [number, number]): Node {
    return this.#ops.graph.input(ports.weight(at, name), 'float32', shape);
  }

  #normalise(x: Node): Node {
    const o = this.#ops;
    const meanSquare = o.meanOfLast(o.unary('Square', x), 2); // [rows, 1]
    return o.binary('Mul', x, o.unary('Rsqrt', o.binary('AddV2', meanSquare, this.#eps)));
  }

  #rotate(x: Node, heads: number): Node {
    const o = this.#ops;
    const { headDim } = this.#config;
    const swapped = o.reverse(o.reshape(x, [-1, 2, headDim / 2]), 1);
    const back = o.reshape(swapped, [heads, -1, headDim]); // [heads, rows, dim]
    return o.binary('AddV2', o.binary('Mul', x, this.#cos), o.binary('Mul', back, this.#sin));
  }

  #joined(pastName: string, outName: string, fresh: Node): Node {
    const { numKvHeads, headDim } = this.#config;
    const shape = [numKvHeads, -1, headDim];
    const past = this.#ops.graph.input(pastName, 'float32', shape);
    const all = this.#ops.concat([past, fresh], 1); // [kvHeads, keys, dim]
    this.#ops.graph.output(outName, all, 'float32', shape);
    return all;
  }

  #lastOf(x: Node, axis: number, rank: number): Node {
    const o = this.#ops;
    const reversed = o.reverse(x, axis);
    const size = Array.from({ length: rank }, (_, i) => (i === axis ? 1 : -1));
    return o.slice(
      reversed,
      size.map(() => 0),
      size,
    );
  }

  #attentionWeights({ q, k, mask, summed }: AttentionInputs): Node {
    const o = this.#ops;
    const { numHeads, numKvHeads, headDim } = this.#config;
    // [kvHeads, group, rows, dim] x [kvHeads, 1, keys, dim]: the mask then broadcasts without reshapes.
    const grouped = o.reshape(q, [numKvHeads, numHeads / numKvHeads, -1, headDim]);
    const keys = o.reshape(k, [numKvHeads, 1, -1, headDim]);
    const scores = o.binary('AddV2', o.batchMatMul(grouped, keys, true), mask);
    const weights = o.unary('Softmax', scores); // [kvHeads, group, rows, keys]
    if (summed) {
      const byKey = o.sum(weights, [0, 1, 2]); // [keys]
      this.#attention = this.#attention ? o.binary('AddV2', this.#attention, byKey) : byKey;
    }
    return weights;
  }

  #block(at: number, x: Node, inputs: AttentionInputs): Node {
    const o = this.#ops;
    const { numHeads, numKvHeads, headDim, hiddenSize, ffnSize } = this.#config;
    const width = numHeads * headDim;
    const values = o.reshape(inputs.v, [numKvHeads, 1, -1, headDim]);
    const mixed = o.batchMatMul(this.#attentionWeights(inputs), values); // [kvHeads, group, rows, dim]
    const byRow = o.transpose(o.reshape(mixed, [numHeads, -1, headDim]), [1, 0, 2]);
    const attended = o.reshape(byRow, [-1, width]); // [rows, heads * dim]
    const output = o.matMul(attended, this.#weight(at, 'output', [width, hiddenSize]));
    const h = o.binary('AddV2', x, output); // [rows, hidden]
    const gateUp = this.#weight(at, 'gateUp', [hiddenSize, 2 * ffnSize]);
    const both = o.matMul(this.#normalise(h), gateUp); // [rows, 2 * ffn]
    const gate = o.slice(both, [0, 0], [-1, ffnSize]);
    const up = o.slice(both, [0, ffnSize], [-1, ffnSize]);
    const active = o.binary('Mul', o.binary('Mul', gate, o.unary('Sigmoid', gate)), up);
    const down = o.matMul(active, this.#weight(at, 'down', [ffnSize, hiddenSize]));
    return o.binary('AddV2', h, down);
  }
}

/** The content of saved_model.pb for this part of the model. */
export function encodeLlamaGraph(config: ModelConfig, spec: GraphSpec): Uint8Array {
  const graph = new GraphBuilder();
  const llama = new LlamaGraph(graph, config, spec.attentionOf);
  let x: Node | null = spec.first === 0 ? llama.embed() : llama.hiddenInput();
  for (let at = spec.first; at < spec.end && x; at++) {
    x = llama.layer(at, x, at === config.numLayers - 1 ? spec.kind : 'all');
  }
  if (x && spec.end < config.numLayers) llama.hiddenOutput(x);
  else if (x) llama.head(x);
  llama.attentionOutput();
  return graph.encode();
}
