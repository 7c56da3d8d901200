// Writes a TensorFlow SavedModel that holds one graph and no variables: a few kilobytes that
// `tf.node.loadSavedModel` runs as a whole. Field numbers are those of TensorFlow's own .proto files
// (saved_model, meta_graph, graph, node_def, attr_value, tensor, types); protobufjs does the encoding.
import protobuf from 'protobufjs';

export type DataType = 'float32' | 'int32' | 'bool';

const dataTypes: Record<DataType, number> = { float32: 1, int32: 3, bool: 10 };

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
        i: field(3, 'int64'),
        b: field(5, 'bool'),
        type: field(6, 'int32'),
        shape: field(7, 'Shape'),
        tensor: field(8, 'Tensor'),
      },
      oneofs: { value: { oneof: ['i', 'b', 'type', 'shape', 'tensor'] } },
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

export type AttrValue = { i: number } | { b: boolean } | { type: DataType };

interface Port {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: GraphShape;
}

export const SIGNATURE = 'serving_default';
export const TAG = 'serve';
/** A GraphDef version that every TensorFlow since 2.0 reads. */
const PRODUCER = 987;

/** Collects nodes; op and attribute names are TensorFlow's. */
export class GraphBuilder {
  readonly #nodes: object[] = [];
  readonly #inputs = new Map<string, Port>();
  readonly #outputs = new Map<string, Port>();
  #count = 0;

  input(name: string, dtype: DataType, shape: GraphShape): Node {
    this.#inputs.set(name, { name: `${name}:0`, dtype, shape });
    return this.#add(name, 'Placeholder', [], {
      dtype: { type: dataTypes[dtype] },
      shape: { shape: shapeOf(shape) },
    });
  }

  output(name: string, node: Node, dtype: DataType, shape: GraphShape): void {
    const port = node.includes(':') ? node : `${node}:0`;
    this.#outputs.set(name, { name: port, dtype, shape });
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
      attr[name] = 'type' in value ? { type: dataTypes[value.type] } : value;
    }
    return this.#add(this.#newName(op), op, inputs, attr);
  }

  /** The serialised SavedModel: the content of `saved_model.pb`. */
  encode(): Uint8Array {
    const ports = (map: Map<string, Port>): object =>
      Object.fromEntries(
        [...map].map(([key, { name, dtype, shape }]) => [
          key,
          { name, dtype: dataTypes[dtype], tensorShape: shapeOf(shape) },
        ]),
      );
    const signature = {
      inputs: ports(this.#inputs),
      outputs: ports(this.#outputs),
      methodName: 'tensorflow/serving/predict',
    };
    const type = schema.lookupType('SavedModel');
    const message = {
      schemaVersion: 1,
      metaGraphs: [
        {
          metaInfo: { tags: [TAG] },
          graph: { node: this.#nodes, versions: { producer: PRODUCER } },
          signatures: { [SIGNATURE]: signature },
        },
      ],
    };
    return type.encode(type.fromObject(message)).finish();
  }

  #newName(op: string): string {
    return `${op}_${this.#count++}`;
  }

  #add(name: string, op: string, inputs: readonly Node[], attr: object): Node {
    this.#nodes.push({ name, op, input: inputs, attr });
    return name as Node;
  }
}
