// Hyper-parameters of a Llama-architecture checkpoint, read from GGUF metadata and checked. What this
// runner cannot move exactly (scaled rotary positions, sliding windows, other architectures) is refused
// here, by name, instead of being served wrongly.
import { KvShareError } from '../../errors.ts';
import type { GgufFile, GgufValue } from '../../gguf/index.ts';
import type { KvLayout } from '../../kv/index.ts';

export interface ModelConfig {
  readonly name: string;
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly ffnSize: number;
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly rmsEps: number;
  readonly ropeTheta: number;
}

const invalid = (message: string): KvShareError => new KvShareError('model_invalid', message);

type Metadata = ReadonlyMap<string, GgufValue>;

function readNumber(metadata: Metadata, key: string, fallback?: number): number {
  const raw = metadata.get(key) ?? fallback;
  const value = typeof raw === 'bigint' ? Number(raw) : raw;
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw invalid(`The model file lacks a positive number for ${key}.`);
  }
  return value;
}

function readCount(metadata: Metadata, key: string, fallback?: number): number {
  const value = readNumber(metadata, key, fallback);
  if (!Number.isInteger(value) || value > 2 ** 24) {
    throw invalid(`The model file gives an impossible ${key}: ${value}.`);
  }
  return value;
}

function refuseWhatCannotMove(file: GgufFile): void {
  const { metadata, tensors } = file;
  const architecture = metadata.get('general.architecture');
  if (architecture !== 'llama') {
    throw invalid(
      `Only the llama architecture is served, the file is ${JSON.stringify(architecture)}.`,
    );
  }
  const scaling = metadata.get('llama.rope.scaling.type');
  if (tensors.has('rope_freqs.weight') || (scaling !== undefined && scaling !== 'none')) {
    throw invalid('Models with scaled rotary positions are refused: their keys cannot be moved.');
  }
  if (metadata.has('llama.attention.sliding_window')) {
    throw invalid('Models with sliding-window attention are refused: their cache cannot be moved.');
  }
  if (metadata.has('llama.expert_count') && metadata.get('llama.expert_count') !== 0) {
    throw invalid('Mixture-of-experts models are not served.');
  }
}

export function readModelConfig(file: GgufFile): ModelConfig {
  refuseWhatCannotMove(file);
  const { metadata } = file;
  const hiddenSize = readCount(metadata, 'llama.embedding_length');
  const numHeads = readCount(metadata, 'llama.attention.head_count');
  const numKvHeads = readCount(metadata, 'llama.attention.head_count_kv', numHeads);
  const headDim = readCount(metadata, 'llama.attention.key_length', hiddenSize / numHeads);
  const ropeDims = readCount(metadata, 'llama.rope.dimension_count', headDim);
  if (numHeads % numKvHeads !== 0 || headDim % 2 !== 0 || ropeDims !== headDim) {
    throw invalid('The model file has heads that do not fit together.');
  }
  const name = metadata.get('general.name');
  return {
    name: typeof name === 'string' && name !== '' ? name : 'model',
    numLayers: readCount(metadata, 'llama.block_count'),
    hiddenSize,
    numHeads,
    numKvHeads,
    headDim,
    ffnSize: readCount(metadata, 'llama.feed_forward_length'),
    vocabSize: file.tensors.get('token_embd.weight')?.shape[1] ?? 0,
    contextLength: readCount(metadata, 'llama.context_length'),
    rmsEps: readNumber(metadata, 'llama.attention.layer_norm_rms_epsilon'),
    ropeTheta: readNumber(metadata, 'llama.rope.freq_base', 10_000),
  };
}

export const layoutOf = (config: ModelConfig): KvLayout => ({
  numLayers: config.numLayers,
  numKvHeads: config.numKvHeads,
  headDim: config.headDim,
  dtype: 'float32',
  ropeTheta: config.ropeTheta,
  ropeDims: config.headDim,
});
