// The layers' matrices in bfloat16, as variables that the graphs share: half the memory to read, and
// processors with bfloat16 instructions (AVX512_BF16, AMX) multiply them about 1.7 times as fast.
import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import { layerMatrices, type ModelWeights } from '../model/weights.ts';
import { ports, variableName } from './llama-parts.ts';
import { Ops } from './ops.ts';
import { before, type GraphBuilder } from './saved-model.ts';

export const ASSIGNED = 'assigned';

/** Adds a run that fills the variables from the weights it is fed. */
export function addAssignment(graph: GraphBuilder, weights: ModelWeights): void {
  const ops = new Ops(graph);
  const assignments = weights.layers.flatMap((layer, at) =>
    layerMatrices.map((name) => {
      const { shape } = layer[name];
      const handle = graph.handle(variableName(at, name), 'bfloat16', shape);
      return ops.assignHalf(handle, graph.input(ports.weight(at, name), 'float32', shape));
    }),
  );
  const done = graph.constant([1], [], 'float32');
  graph.output(ASSIGNED, ops.after(done, assignments.map(before)), 'float32', []);
}

export function assignmentInputs(weights: ModelWeights): NamedTensorMap {
  const inputs: NamedTensorMap = {};
  weights.layers.forEach((layer, at) => {
    for (const name of layerMatrices) inputs[ports.weight(at, name)] = layer[name];
  });
  return inputs;
}
