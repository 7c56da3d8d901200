// Model file + backend → a ready engine.
import { kvFingerprint } from '../kv/index.ts';
import { Engine } from './engine/engine.ts';
import { loadModel, type ModelSource } from './load-model.ts';
import { layoutOf } from './model/model-config.ts';
import type { Scheduler } from './schedulers.ts';
import { DiskStore } from './store/disk/disk-store.ts';
import type { KvTiers } from './store/kv-store-options.ts';

export interface LoadEngineOptions extends ModelSource {
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
  readonly onFault: (error: unknown) => void;
  readonly onStoreProblem?: (what: string, error: unknown) => void;
}

const MAX_RUNNING = 8;

export async function loadEngine(options: LoadEngineOptions): Promise<Engine> {
  const { backend, kvDiskFolder: folder = null } = options;
  const onProblem = options.onStoreProblem ?? (() => undefined);
  const model = await loadModel(options);
  const fingerprint = kvFingerprint({ layout: layoutOf(model.config), ...options });
  return new Engine({
    model,
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
}
