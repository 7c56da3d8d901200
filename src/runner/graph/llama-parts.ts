// What prefill and decode have in common: everything but attention works on rows, whatever they are.
import type { ModelConfig } from '../model/model-config.ts';
import type { Precision } from '../precisions.ts';
import { Ops } from './ops.ts';
import type { GraphBuilder, Node } from './saved-model.ts';

/** Names of the graphs' inputs and outputs. */
export const ports = {
  ids: 'ids',
  positions: 'positions',
  pastPositions: 'past_positions',
  cos: 'cos',
  sin: 'sin',
  embedding: 'embedding',
  outputNorm: 'output_norm',
  head: 'head',
  weight: (layer: number, name: string): string => `w_${layer}_${name}`,
  pastK: 'past_k',
  pastV: 'past_v',
  k: 'k',
  v: 'v',
  logits: 'logits',
  hiddenIn: 'hidden_in',
  hiddenOut: 'hidden_out',
  attention: 'attention',
  staleK: 'stale_k',
  staleV: 'stale_v',
  average: 'average',
  runOf: 'run_of',
  movedK: 'moved_k',
  movedV: 'moved_v',
};

/** By rows [rows, heads, dim] as a step of decoding wants it, or by heads [heads, rows, dim]. */
export interface Projected {
  readonly q: Node; // of all heads, rotated
  readonly k: Node; // of kvHeads, rotated
  readonly v: Node; // of kvHeads
}

/** What K and V are called. */
interface KvPorts {
  readonly k: string;
  readonly v: string;
}

/** K (rotated) and V of one layer. */
export interface KvNodes {
  readonly k: Node; // [kvHeads, tokens, dim]
  readonly v: Node; // [kvHeads, tokens, dim]
}

/** The rotary table at some positions. */
export interface RotaryNodes {
  readonly cos: Node; // [positions, dim]
  readonly sin: Node; // [positions, dim]
}

export const variableName = (layer: number, name: string): string => `layer_${layer}_${name}`;

export class LlamaParts {
  readonly ops: Ops;
  /** fp32 matrices are fed, bf16 ones are read from variables. */
  readonly #precision: Precision;
  readonly #config: ModelConfig;
  readonly #eps: Node;
  readonly #table: RotaryNodes; // [context, dim]
  readonly #rotary: RotaryNodes; // [rows, dim], by rows [rows, 1, dim]
  readonly #byHead: boolean;

  /** `positions` [rows] */
  constructor(
    graph: GraphBuilder,
    config: ModelConfig,
    options: {
      readonly positions: Node;
      readonly precision: Precision;
      readonly order: 'by-row' | 'by-head';
    },
  ) {
    const { positions, precision, order } = options;
    this.#precision = precision;
    this.#byHead = order === 'by-head';
    this.ops = new Ops(graph);
    this.#config = config;
    this.#eps = graph.constant([config.rmsEps], [], 'float32');
    const { headDim } = config;
    this.#table = {
      cos: graph.input(ports.cos, 'float32', [-1, headDim]),
      sin: graph.input(ports.sin, 'float32', [-1, headDim]),
    };
    const rows = this.rotaryAt(positions);
    const beside = (of: Node): Node => (this.#byHead ? of : this.ops.reshape(of, [-1, 1, headDim]));
    this.#rotary = { cos: beside(rows.cos), sin: beside(rows.sin) };
  }

  rotaryAt(positions: Node): RotaryNodes {
    const at = (table: Node): Node => this.ops.gatherRows(table, positions);
    return { cos: at(this.#table.cos), sin: at(this.#table.sin) };
  }

  embed(): Node {
    const { graph } = this.ops;
    const { vocabSize, hiddenSize } = this.#config;
    const table = graph.input(ports.embedding, 'float32', [vocabSize, hiddenSize]);
    return this.ops.gatherRows(table, graph.input(ports.ids, 'int32', [-1])); // [rows, hidden]
  }

  project(at: number, x: Node): Projected {
    const o = this.ops;
    const { numHeads, numKvHeads, headDim, hiddenSize } = this.#config;
    const rotated = numHeads + numKvHeads;
    const width = (rotated + numKvHeads) * headDim;
    const qkv = this.#apply(this.#normalise(x), at, 'qkv', [hiddenSize, width]); // [rows, width]
    const byRow = o.reshape(qkv, [-1, rotated + numKvHeads, headDim]);
    // Cut along the first axis the pieces stay where they are.
    const heads = this.#byHead ? o.transpose(byRow, [1, 0, 2]) : byRow;
    const turned = this.#rotate(this.#heads(heads, 0, rotated), rotated);
    return {
      q: this.#heads(turned, 0, numHeads),
      k: this.#heads(turned, numHeads, numKvHeads),
      v: this.#heads(heads, rotated, numKvHeads),
    };
  }

  #heads(all: Node, first: number, count: number): Node {
    return this.#byHead
      ? this.ops.slice(all, [first, 0, 0], [count, -1, -1])
      : this.ops.slice(all, [0, first, 0], [-1, count, -1]);
  }

  /** Behind attention: output projection and feed-forward, both added to the rows. */
  feed(at: number, x: Node, attended: Node): Node {
    const o = this.ops;
    const { numHeads, headDim, hiddenSize, ffnSize } = this.#config;
    const width = numHeads * headDim;
    const output = this.#apply(attended, at, 'output', [width, hiddenSize]);
    const h = o.binary('AddV2', x, output); // [rows, hidden]
    const both = this.#apply(this.#normalise(h), at, 'gateUp', [hiddenSize, 2 * ffnSize]); // [rows, 2 * ffn]
    const gate = o.slice(both, [0, 0], [-1, ffnSize]);
    const up = o.slice(both, [0, ffnSize], [-1, ffnSize]);
    const active = o.binary('Mul', o.binary('Mul', gate, o.unary('Sigmoid', gate)), up);
    const down = this.#apply(active, at, 'down', [ffnSize, hiddenSize]);
    return o.binary('AddV2', h, down);
  }

  head(x: Node): Node {
    const o = this.ops;
    const { hiddenSize, vocabSize } = this.#config;
    const norm = o.graph.input(ports.outputNorm, 'float32', [hiddenSize]);
    const table = o.graph.input(ports.head, 'float32', [vocabSize, hiddenSize]);
    return o.matMul(o.binary('Mul', this.#normalise(x), norm), table, true); // [rows, vocab]
  }

  /** Two inputs [layers, kvHeads, tokens, dim] → by layer. */
  inputKv(names: KvPorts, layers: number): KvNodes[] {
    const shape = this.#kvShape(layers);
    const input = (name: string): Node[] =>
      this.ops.unstack(this.ops.graph.input(name, 'float32', shape), layers);
    const v = input(names.v);
    return input(names.k).map((k, at) => ({ k, v: v[at]! }));
  }

  /** By layer → two outputs [layers, kvHeads, tokens, dim]. */
  outputKv(names: KvPorts, layers: readonly KvNodes[]): void {
    for (const which of ['k', 'v'] as const) {
      const all = this.ops.stack(layers.map((layer) => layer[which]));
      this.ops.graph.output(names[which], all, 'float32', this.#kvShape(layers.length));
    }
  }

  #kvShape(layers: number): number[] {
    return [layers, this.#config.numKvHeads, -1, this.#config.headDim];
  }

  /** x times one of a layer's matrices. */
  #apply(x: Node, at: number, name: string, shape: [number, number]): Node {
    const { graph } = this.ops;
    if (this.#precision === 'fp32') {
      return this.ops.matMul(x, graph.input(ports.weight(at, name), 'float32', shape));
    }
    return this.ops.matMulHalf(x, graph.variable(variableName(at, name), 'bfloat16', shape));
  }

  #normalise(x: Node): Node {
    const o = this.ops;
    const meanSquare = o.meanOfLast(o.unary('Square', x), 2); // [rows, 1]
    return o.binary('Mul', x, o.unary('Rsqrt', o.binary('AddV2', meanSquare, this.#eps)));
  }

  #rotate(x: Node, heads: number): Node {
    const o = this.ops;
    const { cos, sin } = this.#rotary;
    const back = this.swapped(x, heads);
    return o.binary('AddV2', o.binary('Mul', x, cos), o.binary('Mul', back, sin));
  }

  /** The halves of each head change places. */
  swapped(x: Node, heads: number): Node {
    const o = this.ops;
    const { headDim } = this.#config;
    const halves = o.reverse(o.reshape(x, [-1, 2, headDim / 2]), 1);
    return o.reshape(halves, this.#byHead ? [heads, -1, headDim] : [-1, heads, headDim]);
  }
}
