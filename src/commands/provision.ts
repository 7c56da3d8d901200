// What every start needs and a fresh machine lacks: the model file, vectors, a backend. Shown with progress.
import type { Settings } from '../config.ts';
import { resolveModel, type ResolvedModel } from '../model-files/index.ts';
import type { Embedder } from '../embed/index.ts';
import { openEmbedder, type OpenEmbedderOptions } from '../open-model/index.ts';
import { loadBackend, type Backend } from '../runner/backend/index.ts';
import { progressPrinter } from './progress.ts';

export { openTokenizer as provisionTokenizer } from '../open-model/index.ts';

export async function provisionModel(settings: Settings): Promise<ResolvedModel> {
  const progress = progressPrinter();
  try {
    return await resolveModel({
      ...(settings.modelPath !== null && { explicitPath: settings.modelPath }),
      cacheDir: settings.cacheDir,
      onProgress: progress.step,
    });
  } finally {
    progress.end();
  }
}

export async function provisionEmbedder(
  options: Omit<OpenEmbedderOptions, 'onProgress'>,
): Promise<Embedder | null> {
  const progress = progressPrinter();
  try {
    return await openEmbedder({ ...options, onProgress: progress.step });
  } finally {
    progress.end();
  }
}

/** Loads the backend into this process; builds the native one when that is what is asked for. */
export async function provisionBackend(settings: Settings): Promise<Backend> {
  const progress = progressPrinter();
  try {
    return await loadBackend({
      requested: settings.backend,
      cacheDir: settings.cacheDir,
      allowBuild: true,
      allowCpu: settings.withoutGpu === 'cpu',
      onProgress: progress.step,
    });
  } finally {
    progress.end();
  }
}
