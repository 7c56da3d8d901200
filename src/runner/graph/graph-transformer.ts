// The transformer with its forward pass as one TensorFlow graph, where the backend can run one (the native
// backends). Same inputs, same outputs, same numbers up to summation order; the eager pass stays as the
// reference and serves what the graph does not (logits of more than the last row).
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamedTensorMap, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import type { ModelConfig } from '../model/model-config.ts';
import {
  keyPositions,
  Transformer,
  visibilityMask,
  type ForwardInput,
  type ForwardOutput,
  type LayerKv,
} from '../model/transformer.ts';
import type { LayerWeights, ModelWeights } from '../model/weights.ts';
import { encodeLlamaGraph, ports, type GraphKind } from './llama-graph.ts';
import { SIGNATURE, TAG } from './saved-model.ts';

interface SavedModel {
  predict(inputs: NamedTensorMap): NamedTensorMap;
}

/** tfjs-node's own extension of TensorFlow.js. */
interface TfNode {
  readonly node?: {
    loadSavedModel(path: string, tags: string[], signature: string): Promise<SavedModel>;
  };
}

async function loadGraph(tf: Tf, config: ModelConfig, kind: GraphKind): Promise<SavedModel> {
  const { node } = tf as TfNode;
  if (!node) throw new Error('this backend runs no graphs');
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-graph-'));
  try {
    // The loader expects the folder even when it holds no variable.
    await mkdir(join(folder, 'variables'));
    await writeFile(join(folder, 'saved_model.pb'), encodeLlamaGraph(config, kind));
    return await node.loadSavedModel(folder, [TAG], SIGNATURE);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a graph of this kind reads; without logits nothing behind the last layer's K and V runs. */
function weightInputs(weights: ModelWeights, kind: GraphKind): NamedTensorMap {
  const inputs: NamedTensorMap = { [ports.embedding]: weights.embedding };
  weights.layers.forEach((layer, at) => {
    const cut = kind === 'none' && at === weights.layers.length - 1;
    const names: (keyof LayerWeights)[] = cut ? ['qkv'] : ['qkv', 'output', 'gateUp', 'down'];
    for (const name of names) inputs[ports.weight(at, name)] = layer[name];
  });
  if (kind === 'none') return inputs;
  return { ...inputs, [ports.outputNorm]: weights.outputNorm, [ports.head]: weights.head };
}

export class GraphTransformer extends Transformer {
  readonly #graphs: Record<GraphKind, SavedModel>;
  readonly #weights: Record<GraphKind, NamedTensorMap>;
  readonly #noPast: Tensor3D; // [kvHeads, 0, headDim]

  private constructor(
    tf: Tf,
    config: ModelConfig,
    weights: ModelWeights,
    graphs: Record<GraphKind, SavedModel>,
  ) {
    super(tf, config, weights);
    this.#graphs = graphs;
    this.#weights = {
      'last-logits': weightInputs(weights, 'last-logits'),
      none: weightInputs(weights, 'none'),
    };
    this.#noPast = tf.zeros([config.numKvHeads, 0, config.headDim]);
  }

  /** Throws when the backend cannot run graphs. */
  static async load(tf: Tf, config: ModelConfig, weights: ModelWeights): Promise<GraphTransformer> {
    const graphs = {
      'last-logits': await loadGraph(tf, config, 'last-logits'),
      none: await loadGraph(tf, config, 'none'),
    };
    return new GraphTransformer(tf, config, weights, graphs);
  }

  override forward(input: ForwardInput): ForwardOutput {
    if (input.logitRows > 1 || input.part) return super.forward(input);
    const kind: GraphKind = input.logitRows === 1 ? 'last-logits' : 'none';
    const start = performance.now();
    const rows = this.#rowInputs(input);
    const overheadMs = performance.now() - start;
    let output: NamedTensorMap;
    try {
      const past = this.#pastInputs(input.past);
      output = this.#graphs[kind].predict({ ...rows, ...this.#weights[kind], ...past });
    } finally {
      this.tf.dispose(rows);
    }
    const kv = Array.from({ length: this.config.numLayers }, (_, at): LayerKv => {
      return { k: output[ports.k(at)] as Tensor3D, v: output[ports.v(at)] as Tensor3D };
    });
    const logits: Tensor | undefined = output[ports.logits];
    return { kv, logits: (logits as Tensor2D | undefined) ?? null, overheadMs };
  }

  #rowInputs(input: ForwardInput): NamedTensorMap {
    const { tf } = this;
    const keys = keyPositions(input);
    const shape: [number, number] = [input.ids.length, keys.length];
    const mask = visibilityMask(input.positions, keys);
    const { cos, sin } = this.rotary.rows(input.positions);
    return {
      [ports.ids]: tf.tensor1d(input.ids, 'int32'),
      [ports.cos]: cos,
      [ports.sin]: sin,
      [ports.mask]: mask ? tf.tensor2d(mask, shape) : tf.zeros(shape),
    };
  }

  #pastInputs(past: readonly LayerKv[] | null): NamedTensorMap {
    const inputs: NamedTensorMap = {};
    for (let at = 0; at < this.config.numLayers; at++) {
      inputs[ports.pastK(at)] = past?.[at]?.k ?? this.#noPast;
      inputs[ports.pastV(at)] = past?.[at]?.v ?? this.#noPast;
    }
    return inputs;
  }
}
