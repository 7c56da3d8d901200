// Model file + backend → a ready engine. The slow part of a start: about two seconds for 135M weights.
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import { kvFingerprint } from '../kv/index.ts';
import type { Backend } from './backend/index.ts';
import { Engine } from './engine/engine.ts';
import { GraphTransformer } from './graph/index.ts';
import { layoutOf, readModelConfig, type ModelConfig } from './model/model-config.ts';
import { Transformer } from './model/transformer.ts';
import { loadWeights, type ModelWeights } from './model/weights.ts';
import type { Precision } from './precisions.ts';
import type { Scheduler } from './schedulers.ts';
import { DiskStore } from './store/disk/disk-store.ts';
import type { KvTiers } from './store/kv-store-options.ts';

export interface LoadEngineOptions {
  readonly backend: Backend;
  readonly modelPath: string;
  readonly modelId: string;
  readonly modelSha256: string;
  readonly tokenizerSha256: string;
  readonly chatTemplateSha256: string;
  readonly generation: string;
  readonly maxKvBytes: number;
  readonly tiers?: KvTiers;
  /** Where KV outlives this process; null = nowhere. */
  readonly kvDiskFolder?: string | null;
  readonly chunkTokens: number;
  readonly sharedChunkTokens: number;
  readonly maxRunning?: number;
  readonly scheduler: Scheduler;
  readonly precision: Precision;
  readonly onFault: (error: unknown) => void;
  readonly onStoreProblem?: (what: string, error: unknown) => void;
  /** Share of the weights that are loaded, 0..1. */
  readonly onProgress?: (share: number) => void;
}

const MAX_RUNNING = 8;

export async function loadEngine(options: LoadEngineOptions): Promise<Engine> {
  const { backend, kvDiskFolder: folder = null } = options;
  const onProblem = options.onStoreProblem ?? (() => undefined);
  const file = await openGguf(options.modelPath);
  try {
    const config = readModelConfig(file);
    const fingerprint = kvFingerprint({ layout: layoutOf(config), ...options });
    const weights = await loadWeights(backend.tf, file, config, options.onProgress);
    return new Engine({
      model: await newTransformer(options, config, weights),
      modelId: options.modelId,
      backend: { name: backend.name, description: backend.description },
      fingerprint,
      generation: options.generation,
      maxKvBytes: options.maxKvBytes,
      tiers: options.tiers,
      disk: folder === null ? null : await DiskStore.open({ folder, fingerprint, onProblem }),
      chunkTokens: options.chunkTokens,
      sharedChunkTokens: options.sharedChunkTokens,
      scheduler: options.scheduler,
      maxRunning: options.maxRunning ?? MAX_RUNNING,
      onFault: options.onFault,
      onStoreProblem: onProblem,
    });
  } finally {
    await file.close();
  }
}

/** One graph where the backend runs graphs: 1.2x (prefill) to 2.4x (decode) faster than op by op. */
async function newTransformer(
  { backend, precision }: LoadEngineOptions,
  config: ModelConfig,
  weights: ModelWeights,
): Promise<Transformer> {
  const native = backend.name === 'tensorflow' || backend.name === 'tensorflow-gpu';
  if (native) return GraphTransformer.load(backend.tf, config, weights, precision);
  if (precision === 'fp32') return new Transformer(backend.tf, config, weights);
  throw new KvShareError(
    'config_invalid',
    `--precision ${precision} needs TensorFlow's own library; this backend is ${backend.name}.`,
  );
}
