// Model file + backend → a transformer with its weights. The slow part of a start: about two seconds for 135M.
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import type { Backend } from './backend/index.ts';
import { collectGarbage } from './collect-garbage.ts';
import { GraphTransformer, runsFunctions } from './graph/index.ts';
import { readModelConfig, type ModelConfig } from './model/model-config.ts';
import { Transformer } from './model/transformer.ts';
import { loadWeights, type ModelWeights } from './model/weights.ts';
import type { Precision } from './precisions.ts';

export interface ModelSource {
  readonly backend: Backend;
  readonly modelPath: string;
  readonly precision: Precision;
  /** Share of the weights that are loaded, 0..1. */
  readonly onProgress?: (share: number) => void;
}

export async function loadModel(source: ModelSource): Promise<Transformer> {
  const { backend, modelPath, onProgress } = source;
  const file = await openGguf(modelPath);
  try {
    const config = readModelConfig(file);
    const weights = await loadWeights(backend.tf, file, config, onProgress);
    return await newTransformer(source, config, weights);
  } finally {
    await file.close();
    collectGarbage();
  }
}

/**
 * One graph where the backend runs graphs: faster than op by op. On a GPU only as functions: a SavedModel's weights and
 * KV would go through host memory with every step.
 */
async function newTransformer(
  { backend, precision }: ModelSource,
  config: ModelConfig,
  weights: ModelWeights,
): Promise<Transformer> {
  const native = backend.name === 'tensorflow' || backend.name === 'tensorflow-gpu';
  const onCpu = native && !backend.hasOwnMemory;
  if (onCpu || (native && precision === 'fp32' && runsFunctions(backend.tf)))
    return GraphTransformer.load(backend.tf, config, weights, { precision });
  // A GPU asked for a third of the ops has more of each. WebAssembly multiplies eight rows slower than one eight times.
  if (precision === 'fp32')
    return new Transformer(backend.tf, config, weights, backend.hasOwnMemory);
  throw new KvShareError(
    'config_invalid',
    `--precision ${precision} needs TensorFlow's own library on the CPU; this is ${backend.name}: ${backend.description}.`,
  );
}
