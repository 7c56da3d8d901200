// The transformer with its forward pass as one TensorFlow graph, where the backend can run one (the native
// backends). Same inputs, same outputs, same numbers up to summation order; the eager pass stays as the
// reference and serves what the graph does not (logits of more than the last row).
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamedTensorMap, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
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
import { encodeLlamaGraph, ports, type GraphSpec } from './llama-graph.ts';
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

async function loadGraph(tf: Tf, config: ModelConfig, spec: GraphSpec): Promise<SavedModel> {
  const { node } = tf as TfNode;
  if (!node) throw new Error('this backend runs no graphs');
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-graph-'));
  try {
    // The loader expects the folder even when it holds no variable.
    await mkdir(join(folder, 'variables'));
    await writeFile(join(folder, 'saved_model.pb'), encodeLlamaGraph(config, spec));
    return await node.loadSavedModel(folder, [TAG], SIGNATURE);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What such a graph reads; without logits nothing behind the last layer's K and V runs. */
function weightInputs(weights: ModelWeights, { first, end, kind }: GraphSpec): NamedTensorMap {
  const inputs: NamedTensorMap = first === 0 ? { [ports.embedding]: weights.embedding } : {};
  const lastLayer = weights.layers.length - 1;
  for (let at = first; at < end; at++) {
    const cut = kind === 'none' && at === lastLayer;
    const names: (keyof LayerWeights)[] = cut ? ['qkv'] : ['qkv', 'output', 'gateUp', 'down'];
    for (const name of names) inputs[ports.weight(at, name)] = weights.layers[at]![name];
  }
  if (kind === 'none' || end <= lastLayer) return inputs;
  return { ...inputs, [ports.outputNorm]: weights.outputNorm, [ports.head]: weights.head };
}

const keyOf = ({ first, end, kind, attentionOf }: GraphSpec): string =>
  [first, end, kind, attentionOf?.start, attentionOf?.end].join(' ');

interface LoadedGraph {
  readonly model: SavedModel;
  readonly weights: NamedTensorMap;
}

export class GraphTransformer extends Transformer {
  readonly #weights: ModelWeights;
  readonly #graphs = new Map<string, LoadedGraph>();
  readonly #loading = new Map<string, Promise<void>>();
  readonly #noPast: Tensor3D; // [kvHeads, 0, headDim]

  private constructor(tf: Tf, config: ModelConfig, weights: ModelWeights) {
    super(tf, config, weights);
    this.#weights = weights;
    this.#noPast = tf.zeros([config.numKvHeads, 0, config.headDim]);
  }

  /** Throws when the backend cannot run graphs. */
  static async load(tf: Tf, config: ModelConfig, weights: ModelWeights): Promise<GraphTransformer> {
    const model = new GraphTransformer(tf, config, weights);
    const whole = { first: 0, end: config.numLayers, attentionOf: null };
    await model.prepare({ ...whole, kind: 'last-logits' });
    await model.prepare({ ...whole, kind: 'none' });
    return model;
  }

  /** Loads the graph of a part once; until then that part runs op by op. */
  prepare(spec: GraphSpec): Promise<void> {
    const key = keyOf(spec);
    const started = this.#loading.get(key);
    if (started) return started;
    const loading = loadGraph(this.tf, this.config, spec).then((model) => {
      this.#graphs.set(key, { model, weights: weightInputs(this.#weights, spec) });
    });
    this.#loading.set(key, loading);
    return loading;
  }

  override forward(input: ForwardInput): ForwardOutput {
    const graph = input.logitRows > 1 ? undefined : this.#graphOf(input);
    if (!graph) return super.forward(input);
    const start = performance.now();
    const rows = this.#rowInputs(input);
    const overheadMs = performance.now() - start;
    let output: NamedTensorMap;
    try {
      const hidden = input.part?.hidden ? { [ports.hiddenIn]: input.part.hidden } : {};
      const past = this.#pastInputs(input);
      output = graph.model.predict({ ...rows, ...hidden, ...graph.weights, ...past });
    } finally {
      this.tf.dispose(rows);
    }
    const { first, end } = input.part ?? { first: 0, end: this.config.numLayers };
    const kv = Array.from({ length: end - first }, (_, i): LayerKv => {
      const [k, v] = [output[ports.k(first + i)], output[ports.v(first + i)]];
      return { k: k as Tensor3D, v: v as Tensor3D };
    });
    const attention = output[ports.attention]?.dataSync<'float32'>().slice();
    output[ports.attention]?.dispose();
    return {
      kv,
      logits: (output[ports.logits] as Tensor2D | undefined) ?? null,
      hidden: output[ports.hiddenOut] as Tensor2D | undefined,
      attention,
      overheadMs,
    };
  }

  /** Undefined = not loaded yet: the first request that needs it pays with a slower pass, not by waiting. */
  #graphOf({ part, logitRows }: ForwardInput): LoadedGraph | undefined {
    const { numLayers } = this.config;
    const spec: GraphSpec = {
      first: part?.first ?? 0,
      end: part?.end ?? numLayers,
      attentionOf: part?.attentionOf ?? null,
      kind: logitRows === 1 ? 'last-logits' : 'none',
    };
    const graph = this.#graphs.get(keyOf(spec));
    // A graph that cannot be loaded is one that is never used.
    if (!graph) this.prepare(spec).catch(() => undefined);
    return graph;
  }

  #rowInputs({ ids, positions, pastPositions, part }: ForwardInput): NamedTensorMap {
    const { tf } = this;
    const keys = keyPositions({ positions, pastPositions });
    const shape: [number, number] = [ids.length, keys.length];
    const mask = visibilityMask(positions, keys);
    const { cos, sin } = this.rotary.rows(positions);
    return {
      ...(!part?.hidden && { [ports.ids]: tf.tensor1d(ids, 'int32') }),
      [ports.cos]: cos,
      [ports.sin]: sin,
      [ports.mask]: mask ? tf.tensor2d(mask, shape) : tf.zeros(shape),
    };
  }

  #pastInputs({ past, part }: ForwardInput): NamedTensorMap {
    const inputs: NamedTensorMap = {};
    const { first, end } = part ?? { first: 0, end: this.config.numLayers };
    for (let at = first; at < end; at++) {
      inputs[ports.pastK(at)] = past?.[at - first]?.k ?? this.#noPast;
      inputs[ports.pastV(at)] = past?.[at - first]?.v ?? this.#noPast;
    }
    return inputs;
  }
}
