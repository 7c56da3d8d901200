// The graphs of one model, in either form in which TensorFlow takes them.
import { randomUUID } from 'node:crypto';
import type { Tf } from '../backend/index.ts';
import { loadFunction } from './load-function.ts';
import { loadGraph, type RunnableGraph } from './load-graph.ts';
import { GraphBuilder } from './saved-model.ts';

/** A function works on tensors where they are; a SavedModel takes and leaves them in host memory. */
export type GraphForm = 'function' | 'saved-model';

export interface SignatureSpec {
  readonly name: string;
  readonly add: (graph: GraphBuilder) => void;
}

/** One for each, in their order, with common variables; they stay until the process ends. Throws when the backend has no functions. */
export function loadFunctions(tf: Tf, signatures: readonly SignatureSpec[]): RunnableGraph[] {
  const container = `kvshare_${randomUUID()}`;
  return signatures.map(({ name, add }) => {
    const graph = new GraphBuilder(container).begin(name);
    add(graph);
    return loadFunction(tf, graph);
  });
}

/** The same as entry points of one SavedModel. Throws when the backend runs none. */
export async function loadSavedModel(
  tf: Tf,
  signatures: readonly SignatureSpec[],
): Promise<RunnableGraph[]> {
  const graph = new GraphBuilder();
  for (const { name, add } of signatures) add(graph.begin(name));
  const names = signatures.map(({ name }) => name);
  return loadGraph(tf, graph, names);
}
