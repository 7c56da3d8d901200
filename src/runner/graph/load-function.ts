// Graph → a function of TensorFlow's eager runtime: it runs as one op, on tensors where they are. Only our build of
// tfjs-node has a way to hand one over (native/graph-functions.ts).
import { randomUUID } from 'node:crypto';
import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { RunnableGraph } from './load-graph.ts';
import type { GraphBuilder } from './saved-model.ts';

/** tfjs-node's, as far as it matters here. */
interface NodeBackend {
  readonly binding?: {
    readonly addFunction?: (
      name: string,
      graph: Uint8Array,
      inputs: readonly string[],
      outputs: readonly string[],
    ) => void;
  };
  executeMultipleOutputs(
    name: string,
    attrs: readonly never[],
    inputs: readonly Tensor[],
    count: number,
  ): Tensor[];
}

const backendOf = (tf: Tf): NodeBackend => tf.backend() as unknown as NodeBackend;

export const runsFunctions = (tf: Tf): boolean => Boolean(backendOf(tf).binding?.addFunction);

/** Throws when the backend has no functions. */
export function loadFunction(tf: Tf, graph: GraphBuilder): RunnableGraph {
  const backend = backendOf(tf);
  const { inputs, outputs, bytes } = graph.encodeGraph();
  // Names hold for the whole process, whoever else is in it.
  const name = `kvshare_${randomUUID().replaceAll('-', '')}`;
  const ports = (map: ReadonlyMap<string, string>): string[] => [...map.values()];
  if (!backend.binding?.addFunction) throw new Error('this backend has no functions');
  backend.binding.addFunction(name, bytes, ports(inputs), ports(outputs));
  const [takes, gives] = [[...inputs.keys()], [...outputs.keys()]];
  return {
    predict(given: NamedTensorMap): NamedTensorMap {
      const tensors = takes.map((key) => {
        const tensor = given[key];
        if (!tensor) throw new Error(`the graph's input ${key} is missing`);
        return tensor;
      });
      const results = backend.executeMultipleOutputs(name, [], tensors, gives.length);
      return Object.fromEntries(gives.map((key, at) => [key, results[at]!]));
    },
  };
}
