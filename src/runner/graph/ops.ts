// TensorFlow's ops as functions from nodes to nodes, with the attributes they insist on.
import type { DataType, GraphBuilder, Node } from './saved-model.ts';

const float = { T: { type: 'float32' } } as const;

/** Short names for the ops that a transformer needs. Shapes stand at the end of the line. */
export class Ops {
  readonly graph: GraphBuilder;

  constructor(graph: GraphBuilder) {
    this.graph = graph;
  }

  /** x, once all of these have run. */
  after(x: Node, runs: readonly Node[]): Node {
    return this.graph.op('Identity', [x, ...runs], float);
  }

  #cast(x: Node, from: DataType, to: DataType): Node {
    return this.graph.op('Cast', [x], {
      SrcT: { type: from },
      DstT: { type: to },
      Truncate: { b: false },
    });
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

  binary(op: 'AddV2' | 'Sub' | 'Mul', a: Node, b: Node): Node {
    return this.graph.op(op, [a, b], float);
  }

  /** In bfloat16, which some processors multiply at twice the speed; sums in fp32, the result rounded. */
  matMulHalf(a: Node, b: Node): Node {
    const product = this.graph.op('MatMul', [this.#cast(a, 'float32', 'bfloat16'), b], {
      T: { type: 'bfloat16' },
      transpose_a: { b: false },
      transpose_b: { b: false },
    });
    return this.#cast(product, 'bfloat16', 'float32');
  }

  /** Rounds to bfloat16 and keeps the result in a variable; the node runs it. */
  assignHalf(handle: Node, value: Node): Node {
    const half = this.#cast(value, 'float32', 'bfloat16');
    return this.graph.op('AssignVariableOp', [handle, half], { dtype: { type: 'bfloat16' } });
  }

  /** 1 where a > b, else 0. Integers up to 2^24; compared as floats, because TensorFlow compares integers on the CPU only. */
  greater(a: Node, b: Node): Node {
    const [x, y] = [a, b].map((ints) => this.#cast(ints, 'int32', 'float32'));
    return this.#cast(this.graph.op('Greater', [x!, y!], float), 'bool', 'float32');
  }

  /** Of one shape, in one pass. */
  addAll(parts: readonly Node[]): Node {
    return this.graph.op('AddN', parts, { ...float, N: { i: parts.length } });
  }

  unary(op: 'Square' | 'Rsqrt' | 'Sigmoid' | 'Softmax', x: Node): Node {
    return this.graph.op(op, [x], float);
  }

  reshape(x: Node, shape: readonly number[], type: DataType = 'float32'): Node {
    return this.graph.op('Reshape', [x, this.ints(shape)], {
      T: { type },
      Tshape: { type: 'int32' },
    });
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

  /** `size` is known when the graph runs. */
  sliceTo(x: Node, begin: readonly number[], size: Node): Node {
    return this.graph.op('Slice', [x, this.ints(begin), size], {
      ...float,
      Index: { type: 'int32' },
    });
  }

  /** `padding` [rank, 2], known when the graph runs. */
  pad(x: Node, padding: Node, value: Node): Node {
    return this.graph.op('PadV2', [x, padding, value], {
      ...float,
      Tpaddings: { type: 'int32' },
    });
  }

  reverse(x: Node, axis: number): Node {
    return this.graph.op('ReverseV2', [x, this.ints([axis])], {
      ...float,
      Tidx: { type: 'int32' },
    });
  }

  /** The `count` members along the first axis, which goes away; the memory stays shared. */
  unstack(x: Node, count: number): Node[] {
    const all = this.graph.op('Unpack', [x], { ...float, num: { i: count }, axis: { i: 0 } });
    return Array.from({ length: count }, (_, i) => (i === 0 ? all : (`${all}:${i}` as Node)));
  }

  stack(parts: readonly Node[]): Node {
    return this.graph.op('Pack', parts, { ...float, N: { i: parts.length }, axis: { i: 0 } });
  }

  /** Cut along an axis into pieces of these sizes, known when the graph runs. */
  split(x: Node, sizes: Node, axis: number, count: number): Node[] {
    const at = this.graph.constant([axis], [], 'int32');
    const all = this.graph.op('SplitV', [x, sizes, at], {
      ...float,
      Tlen: { type: 'int32' },
      num_split: { i: count },
    });
    return Array.from({ length: count }, (_, i) => (i === 0 ? all : (`${all}:${i}` as Node)));
  }

  concat(parts: readonly Node[], axis: number, type: DataType = 'float32'): Node {
    if (parts.length === 1) return parts[0]!;
    const at = this.graph.constant([axis], [], 'int32');
    return this.graph.op('ConcatV2', [...parts, at], {
      T: { type },
      N: { i: parts.length },
      Tidx: { type: 'int32' },
    });
  }

  /** Over these axes, which go away. */
  sum(x: Node, axes: readonly number[]): Node {
    return this.graph.op('Sum', [x, this.ints(axes)], {
      ...float,
      Tidx: { type: 'int32' },
      keep_dims: { b: false },
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
    return this.gather(table, ids, 0);
  }

  gather(x: Node, ids: Node, along: number): Node {
    const axis = this.graph.constant([along], [], 'int32');
    return this.graph.op('GatherV2', [x, ids, axis], {
      Tparams: { type: 'float32' },
      Tindices: { type: 'int32' },
      Taxis: { type: 'int32' },
      batch_dims: { i: 0 },
    });
  }
}
