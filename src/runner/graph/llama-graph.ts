// The forward pass of transformer.ts as one TensorFlow graph: the same formulas, node by node, so that
// about 900 dispatches of single ops become one. Weights, past KV, rotary tables and mask are inputs.
import type { ModelConfig } from '../model/model-config.ts';
import { GraphBuilder, type Node } from './saved-model.ts';

const float = { T: { type: 'float32' } } as const;

/** Short names for the ops that a transformer needs. Shapes stand at the end of the line. */
class Ops {
  readonly graph: GraphBuilder;

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  ints(values: readonly number[]): Node {
    return this.graph.constant(values, [values.length], 'int32');
  }

  matMul(a: Node, b: Node, transposeB = false): Node {
    return this.graph.op('MatMul', [a, b], {
      ...float,
      transpose_a: { b: false },
      transpose_b: { b: transposeB },
    });
  }

  batchMatMul(a: Node, b: Node, transposeB = false): Node {
    return this.graph.op('BatchMatMulV2', [a, b], {
      ...float,
      adj_x: { b: false },
      adj_y: { b: transposeB },
    });
  }

  binary(op: 'AddV2' | 'Mul', a: Node, b: Node): Node {
    return this.graph.op(op, [a, b], float);
  }

  unary(op: 'Square' | 'Rsqrt' | 'Sigmoid' | 'Softmax', x: Node): Node {
    return this.graph.op(op, [x], float);
  }

  reshape(x: Node, shape: readonly number[]): Node {
    return this.graph.op('Reshape', [x, this.ints(shape)], { ...float, Tshape: { type: 'int32' } });
  }

  transpose(x: Node, order: readonly number[]): Node {
    return this.graph.op('Transpose', [x, this.ints(order)], {
      ...float,
      Tperm: { type: 'int32' },
    });
  }

  /** -1 in `size` = to the end. */
  slice(x: Node, begin: readonly number[], size: readonly number[]): Node {
    return this.graph.op('Slice', [x, this.ints(begin), this.ints(size)], {
      ...float,
      Index: { type: 'int32' },
    });
  }

  reverse(x: Node, axis: number): Node {
    return this.graph.op('ReverseV2', [x, this.ints([axis])], {
      ...float,
      Tidx: { type: 'int32' },
    });
  }

  concat(parts: readonly Node[], axis: number): Node {
    const at = this.graph.constant([axis], [], 'int32');
    return this.graph.op('ConcatV2', [...parts, at], {
      ...float,
      N: { i: parts.length },
      Tidx: { type: 'int32' },
    });
  }

  meanOfLast(x: Node, rank: number): Node {
    return this.graph.op('Mean', [x, this.ints([rank - 1])], {
      ...float,
      Tidx: { type: 'int32' },
      keep_dims: { b: true },
    });
  }

  gatherRows(table: Node, ids: Node): Node {
    const axis = this.graph.constant([0], [], 'int32');
    return this.graph.op('GatherV2', [table, ids, axis], {
      Tparams: { type: 'float32' },
      Tindices: { type: 'int32' },
      Taxis: { type: 'int32' },
      batch_dims: { i: 0 },
    });
  }
}

/** Only the last row's logits are computed; `none` = a chunk that is followed by another one. */
export type GraphKind = 'last-logits' | 'none';

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
};

interface AttentionInputs {
  readonly q: Node; // [heads, rows, dim]
  readonly k: Node; // [kvHeads, keys, dim]
  readonly v: Node; // [kvHeads, keys, dim]
  readonly mask: Node; // [rows, keys]
}

class LlamaGraph {
  readonly #config: ModelConfig;
  readonly #ops: Ops;
  readonly #eps: Node;
  readonly #cos: Node;
  readonly #sin: Node;
  readonly #mask: Node;

  constructor(graph: GraphBuilder, config: ModelConfig) {
    this.#config = config;
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
    if (tail === 'none') return null;
    const q = o.slice(turned, [0, 0, 0], [numHeads, -1, -1]); // [heads, rows, dim]
    if (tail === 'all') return this.#block(at, x, { q, k, v, mask: this.#mask });
    const last = (node: Node, axis: number, rank: number): Node => this.#lastOf(node, axis, rank);
    return this.#block(at, last(x, 0, 2), { q: last(q, 1, 3), k, v, mask: last(this.#mask, 0, 2) });
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

  #block(at: number, x: Node, { q, k, v, mask }: AttentionInputs): Node {
    const o = this.#ops;
    const { numHeads, numKvHeads, headDim, hiddenSize, ffnSize } = this.#config;
    const group = numHeads / numKvHeads;
    const width = numHeads * headDim;
    // [kvHeads, group, rows, dim] x [kvHeads, 1, keys, dim]: the mask then broadcasts without reshapes.
    const grouped = o.reshape(q, [numKvHeads, group, -1, headDim]);
    const keys = o.reshape(k, [numKvHeads, 1, -1, headDim]);
    const values = o.reshape(v, [numKvHeads, 1, -1, headDim]);
    const scores = o.binary('AddV2', o.batchMatMul(grouped, keys, true), mask);
    const mixed = o.batchMatMul(o.unary('Softmax', scores), values); // [kvHeads, group, rows, dim]
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

/** The content of saved_model.pb for this model. */
export function encodeLlamaGraph(config: ModelConfig, kind: GraphKind): Uint8Array {
  const graph = new GraphBuilder();
  const llama = new LlamaGraph(graph, config);
  let x: Node | null = llama.embed();
  for (let at = 0; at < config.numLayers && x; at++) {
    x = llama.layer(at, x, at === config.numLayers - 1 ? kind : 'all');
  }
  if (x) llama.head(x);
  return graph.encode();
}
