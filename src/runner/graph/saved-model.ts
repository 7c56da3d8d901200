// Writes TensorFlow graphs: a GraphDef that becomes a function, or a SavedModel: some hundred kilobytes that `tf.node.loadSavedModel` runs as a whole. It may
// have several signatures (entry points) over common variables, which the first of them fills. Field numbers are those of TensorFlow's own .proto files
// (saved_model, meta_graph, graph, node_def, attr_value, tensor, types); protobufjs does the encoding.
import protobuf from 'protobufjs';

export type DataType = 'float32' | 'int32' | 'bool' | 'bfloat16' | 'resource';

const dataTypes: Record<DataType, number> = {
  float32: 1,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  resource: 20,
};

const field = (id: number, type: string, rule?: 'repeated'): protobuf.IField => ({
  id,
  type,
  ...(rule && { rule }),
});
const mapOf = (id: number, type: string): protobuf.IMapField => ({
  id,
  type,
  keyType: 'string',
});

const schema = protobuf.Root.fromJSON({
  nested: {
    Dim: { fields: { size: field(1, 'int64') } },
    Shape: { fields: { dim: field(2, 'Dim', 'repeated'), unknownRank: field(3, 'bool') } },
    Tensor: {
      fields: {
        dtype: field(1, 'int32'),
        tensorShape: field(2, 'Shape'),
        tensorContent: field(4, 'bytes'),
      },
    },
    Attr: {
      fields: {
        s: field(2, 'bytes'),
        i: field(3, 'int64'),
        b: field(5, 'bool'),
        type: field(6, 'int32'),
        shape: field(7, 'Shape'),
        tensor: field(8, 'Tensor'),
      },
      oneofs: { value: { oneof: ['s', 'i', 'b', 'type', 'shape', 'tensor'] } },
    },
    Node: {
      fields: {
        name: field(1, 'string'),
        op: field(2, 'string'),
        input: field(3, 'string', 'repeated'),
        attr: mapOf(5, 'Attr'),
      },
    },
    Versions: { fields: { producer: field(1, 'int32') } },
    Graph: { fields: { node: field(1, 'Node', 'repeated'), versions: field(4, 'Versions') } },
    TensorInfo: {
      fields: {
        name: field(1, 'string'),
        dtype: field(2, 'int32'),
        tensorShape: field(3, 'Shape'),
      },
    },
    Signature: {
      fields: {
        inputs: mapOf(1, 'TensorInfo'),
        outputs: mapOf(2, 'TensorInfo'),
        methodName: field(3, 'string'),
      },
    },
    MetaInfo: { fields: { tags: field(4, 'string', 'repeated') } },
    MetaGraph: {
      fields: {
        metaInfo: field(1, 'MetaInfo'),
        graph: field(2, 'Graph'),
        signatures: mapOf(5, 'Signature'),
      },
    },
    SavedModel: {
      fields: { schemaVersion: field(1, 'int64'), metaGraphs: field(2, 'MetaGraph', 'repeated') },
    },
  },
});

/** -1 = known only when the graph runs. */
export type GraphShape = readonly number[];

const shapeOf = (shape: GraphShape): object => ({ dim: shape.map((size) => ({ size })) });

/** The name of a node's first output. */
export type Node = string & { readonly __node: unique symbol };

export type AttrValue =
  { i: number } | { b: boolean } | { type: DataType } | { s: Uint8Array } | { shape: GraphShape };

/** Runs before the node that names it among its inputs. */
export const before = (node: Node): Node => `^${node}` as Node;

interface Signature {
  readonly inputs: Map<string, Port>;
  readonly outputs: Map<string, Port>;
}

interface Port {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: GraphShape;
}

export const TAG = 'serve';
/** A GraphDef version that every TensorFlow since 2.0 reads. */
const PRODUCER = 987;

/** Collects nodes; op and attribute names are TensorFlow's. */
export class GraphBuilder {
  readonly #container: string;
  readonly #nodes: object[] = [];
  readonly #signatures = new Map<string, Signature>();
  readonly #variables = new Map<string, Node>();
  #current = '';
  #count = 0;

  /** Graphs of one process share the variables of a container. */
  constructor(container = '') {
    this.#container = container;
  }

  /** Inputs and outputs belong to this signature from now on. */
  begin(signature: string): this {
    this.#current = signature;
    this.#signatures.set(signature, { inputs: new Map(), outputs: new Map() });
    return this;
  }

  /** The value of a variable that all signatures share. */
  variable(name: string, dtype: DataType, shape: GraphShape): Node {
    const known = this.#variables.get(name);
    if (known) return known;
    const handle = this.handle(name, dtype, shape);
    const value = this.op('ReadVariableOp', [handle], { dtype: { type: dtype } });
    this.#variables.set(name, value);
    return value;
  }

  /** What names a variable: for assignments. */
  handle(name: string, dtype: DataType, shape: GraphShape): Node {
    return this.op('VarHandleOp', [], {
      dtype: { type: dtype },
      shape: { shape },
      shared_name: { s: new TextEncoder().encode(name) },
      container: { s: new TextEncoder().encode(this.#container) },
    });
  }

  input(name: string, dtype: DataType, shape: GraphShape): Node {
    const node = `${this.#current}/${name}`;
    this.#signatures.get(this.#current)!.inputs.set(name, { name: `${node}:0`, dtype, shape });
    return this.#add(node, 'Placeholder', [], {
      dtype: { type: dataTypes[dtype] },
      shape: { shape: shapeOf(shape) },
    });
  }

  output(name: string, node: Node, dtype: DataType, shape: GraphShape): void {
    const port = node.includes(':') ? node : `${node}:0`;
    this.#signatures.get(this.#current)!.outputs.set(name, { name: port, dtype, shape });
  }

  /** A float32 or int32 constant, row-major. */
  constant(values: readonly number[], shape: GraphShape, dtype: 'float32' | 'int32'): Node {
    const content = dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    const tensor = {
      dtype: dataTypes[dtype],
      tensorShape: shapeOf(shape),
      tensorContent: new Uint8Array(content.buffer),
    };
    return this.#add(this.#newName('Const'), 'Const', [], {
      dtype: { type: dataTypes[dtype] },
      value: { tensor },
    });
  }

  op(op: string, inputs: readonly Node[], attrs: Record<string, AttrValue>): Node {
    const attr: Record<string, object> = {};
    for (const [name, value] of Object.entries(attrs)) {
      if ('type' in value) attr[name] = { type: dataTypes[value.type] };
      else attr[name] = 'shape' in value ? { shape: shapeOf(value.shape) } : value;
    }
    return this.#add(this.#newName(op), op, inputs, attr);
  }

  /** The serialised SavedModel: the content of `saved_model.pb`. Without nodes it only tells what the signatures are. */
  encode({ withNodes }: { readonly withNodes: boolean }): Uint8Array {
    const ports = (map: Map<string, Port>): object =>
      Object.fromEntries(
        [...map].map(([key, { name, dtype, shape }]) => [
          key,
          { name, dtype: dataTypes[dtype], tensorShape: shapeOf(shape) },
        ]),
      );
    const signatures = [...this.#signatures].map(([name, { inputs, outputs }]) => [
      name,
      { inputs: ports(inputs), outputs: ports(outputs), methodName: 'tensorflow/serving/predict' },
    ]);
    const type = schema.lookupType('SavedModel');
    const message = {
      schemaVersion: 1,
      metaGraphs: [
        {
          metaInfo: { tags: [TAG] },
          graph: this.#graph(withNodes),
          signatures: Object.fromEntries(signatures) as object,
        },
      ],
    };
    return type.encode(type.fromObject(message)).finish();
  }

  /** A serialised GraphDef and the ports of its only signature: NODE:INDEX by name. */
  encodeGraph(): {
    readonly bytes: Uint8Array;
    readonly inputs: ReadonlyMap<string, string>;
    readonly outputs: ReadonlyMap<string, string>;
  } {
    if (this.#signatures.size !== 1) throw new Error('a function has one signature');
    const { inputs, outputs } = this.#signatures.get(this.#current)!;
    const names = (map: Map<string, Port>): Map<string, string> =>
      new Map([...map].map(([key, { name }]) => [key, name]));
    const type = schema.lookupType('Graph');
    const bytes = type.encode(type.fromObject(this.#graph(true))).finish();
    return { bytes, inputs: names(inputs), outputs: names(outputs) };
  }

  #graph(withNodes: boolean): object {
    return { node: withNodes ? this.#nodes : [], versions: { producer: PRODUCER } };
  }

  #newName(op: string): string {
    return `${op}_${this.#count++}`;
  }

  #add(name: string, op: string, inputs: readonly Node[], attr: object): Node {
    this.#nodes.push({ name, op, input: inputs, attr });
    return name as Node;
  }
}
