// Graph → a SavedModel that runs: TensorFlow reads those from a folder only.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamedTensorMap } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { TAG, type GraphBuilder } from './saved-model.ts';

/** Inputs stay the caller's, outputs become so. */
export interface RunnableGraph {
  predict(inputs: NamedTensorMap): NamedTensorMap;
}

/** tfjs-node's own extension of TensorFlow.js. */
interface TfNode {
  readonly node?: {
    loadSavedModel(path: string, tags: string[], signature: string): Promise<RunnableGraph>;
  };
}

/** One for each signature, over the same variables. Throws when the backend cannot run graphs. */
export async function loadGraph(
  tf: Tf,
  graph: GraphBuilder,
  signatures: readonly string[],
): Promise<RunnableGraph[]> {
  const { node } = tf as TfNode;
  if (!node) throw new Error('this backend runs no graphs');
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-graph-'));
  try {
    // The loader expects the folder even when it holds no variable.
    await mkdir(join(folder, 'variables'));
    const file = join(folder, 'saved_model.pb');
    await writeFile(file, graph.encode({ withNodes: true }));
    const models: RunnableGraph[] = [];
    for (const [at, name] of signatures.entries()) {
      models.push(await node.loadSavedModel(folder, [TAG], name));
      // TensorFlow has the graph by now. tfjs-node reads the file again for each signature, in JavaScript, only to
      // learn what that one is: 0.2 s each for some ten thousand nodes.
      if (at === 0) await writeFile(file, graph.encode({ withNodes: false }));
    }
    return models;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
