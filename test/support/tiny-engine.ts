// The tiny random model, on TensorFlow.js' plain CPU backend unless told otherwise: engine, transformer and oracle side
// by side.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { GgufFile } from '../../src/gguf/index.ts';
import { loadBackend, type Backend, type Tf } from '../../src/runner/backend/index.ts';
import type { DiskStore } from '../../src/runner/store/disk/disk-store.ts';
import type { KvTiers } from '../../src/runner/store/kv-store-options.ts';
import { Engine } from '../../src/runner/engine/engine.ts';
import { GraphTransformer } from '../../src/runner/graph/index.ts';
import { readModelConfig, type ModelConfig } from '../../src/runner/model/model-config.ts';
import {
  Transformer,
  type DecodeOutput,
  type DecodeInput,
  type ForwardInput,
  type ForwardOutput,
} from '../../src/runner/model/transformer.ts';
import { loadWeights, type ModelWeights } from '../../src/runner/model/weights.ts';
import type { Scheduler } from '../../src/runner/schedulers.ts';
import type { OracleModel } from './oracle.ts';
import { tinyModel } from './tiny-model.ts';

/** The tiny model as if it had been read from a file. */
export function tinyGguf(model: OracleModel, contextLength = 512): GgufFile {
  const metadata = new Map<string, string | number>([
    ['general.architecture', 'llama'],
    ['general.name', 'tiny'],
    ['llama.block_count', model.numLayers],
    ['llama.embedding_length', model.hiddenSize],
    ['llama.attention.head_count', model.numHeads],
    ['llama.attention.head_count_kv', model.numKvHeads],
    ['llama.attention.key_length', model.headDim],
    ['llama.attention.value_length', model.headDim],
    ['llama.rope.dimension_count', model.headDim],
    ['llama.feed_forward_length', model.ffnSize],
    ['llama.context_length', contextLength],
    ['llama.attention.layer_norm_rms_epsilon', model.rmsEps],
    ['llama.rope.freq_base', model.ropeTheta],
  ]);
  const tensors = new Map(
    [...model.tensors].map(([name, { rows, columns }]) => [
      name,
      {
        name,
        shape: rows === 1 ? [columns] : [columns, rows],
        type: 'F32',
        numElements: rows * columns,
      },
    ]),
  );
  return {
    path: 'tiny.gguf',
    metadata,
    tensors,
    readTensor: (name: string) => Promise.resolve(model.tensors.get(name)!.data),
    close: () => Promise.resolve(),
  };
}

/** A transformer that remembers the last logits, counts passes and can force the next tokens. */
export type Watched = Transformer & {
  lastLogits: Float32Array;
  passes: number;
  /** From now on greedy sampling draws these tokens, whatever the logits say. */
  force: (tokens: readonly number[]) => void;
  /** Ends forcing; the real logits of every forced step. */
  release: () => Float32Array[];
};

export function watched(model: Transformer): Watched {
  const forward = model.forward.bind(model);
  const decode = model.decode.bind(model);
  let forced: number[] = [];
  let history: Float32Array[] = [];
  const watch = Object.assign(model, {
    lastLogits: new Float32Array(0),
    passes: 0,
    force: (tokens: readonly number[]) => {
      forced = [...tokens];
      history = [];
    },
    release: () => {
      forced = [];
      return history;
    },
    forward: (input: ForwardInput): ForwardOutput => {
      watch.passes++;
      const output = forward(input);
      return { ...output, logits: output.logits && observe(output.logits) };
    },
    decode: (input: DecodeInput): DecodeOutput => {
      // Op by op, decoding is made of watched forward passes.
      if (!(model instanceof GraphTransformer)) return decode(input);
      watch.passes++;
      const output = decode(input);
      return input.ids.length > 1 ? output : { ...output, logits: observe(output.logits) };
    },
  });
  const observe = (logits: Tensor2D): Tensor2D => {
    watch.lastLogits = logits.dataSync<'float32'>().slice();
    const next = forced.shift();
    if (next === undefined) return logits;
    history.push(watch.lastLogits);
    logits.dispose();
    const wanted = new Float32Array(watch.lastLogits.length);
    wanted[next] = 1;
    return model.tf.tensor2d(wanted, [1, wanted.length]);
  };
  return watch;
}

export const TINY_VOCABULARY = 50;
export const FINGERPRINT = 'tiny-fingerprint';

export interface TinyOptions {
  maxKvBytes?: number;
  memoryWaitMs?: number;
  tiers?: KvTiers;
  disk?: DiskStore | null;
  chunkTokens?: number;
  sharedChunkTokens?: number;
  maxRunning?: number;
  onFault?: (error: unknown) => void;
  scheduler?: Scheduler;
  generation?: string;
  seed?: number;
  vocabulary?: number;
  contextLength?: number;
  native?: boolean;
}

export type ModelParts = [tf: Tf, config: ModelConfig, weights: ModelWeights];
type Build<Model extends Transformer> = (...parts: ModelParts) => Model | Promise<Model>;

/** TensorFlow's own library and graphs, as they serve, where they are in the cache; else op by op in plain JavaScript. */
export async function tinyEngine(options: TinyOptions = {}) {
  const native = options.native === true;
  const backend = await loadBackend({
    requested: native ? 'tensorflow' : 'cpu',
    cacheDir: native ? join(homedir(), '.cache', 'kvshare') : '/nonexistent',
    allowBuild: false,
  });
  return tinyEngineOn(backend, options, async (...parts) =>
    watched(native ? await GraphTransformer.load(...parts) : new Transformer(...parts)),
  );
}

export async function tinyEngineOn<Model extends Transformer>(
  backend: Backend,
  options: TinyOptions,
  build: Build<Model>,
) {
  const oracle = tinyModel(options.vocabulary ?? TINY_VOCABULARY, options.seed ?? 1);
  const { tf } = backend;
  const file = tinyGguf(oracle, options.contextLength);
  const config = readModelConfig(file);
  const model = await build(tf, config, await loadWeights(tf, file, config));
  const engine = new Engine({
    model,
    modelId: 'tiny',
    backend: { name: backend.name, description: backend.description },
    fingerprint: FINGERPRINT,
    generation: options.generation ?? 'gen-a',
    maxKvBytes: options.maxKvBytes ?? 2 ** 30,
    ...(options.memoryWaitMs !== undefined && { memoryWaitMs: options.memoryWaitMs }),
    tiers: options.tiers,
    disk: options.disk ?? null,
    chunkTokens: options.chunkTokens ?? 256,
    sharedChunkTokens: options.sharedChunkTokens ?? options.chunkTokens ?? 256,
    scheduler: options.scheduler ?? 'reuse-aware',
    maxRunning: options.maxRunning ?? 4,
    onFault:
      options.onFault ??
      ((error) => {
        throw error;
      }),
    onStoreProblem: (_what, error) => {
      throw error;
    },
  });
  return { oracle, tf: backend.tf, model, engine };
}
