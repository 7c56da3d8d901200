// What every start needs and a fresh machine lacks: the model file and a backend. Shown with progress.
import type { Settings } from '../config.ts';
import { openGguf } from '../gguf/index.ts';
import { resolveModel, type ResolvedModel } from '../model-files/index.ts';
import { loadBackend, type Backend } from '../runner/backend/index.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/index.ts';
import { progressPrinter } from './progress.ts';

export async function provisionModel(settings: Settings): Promise<ResolvedModel> {
  const progress = progressPrinter(process.stderr);
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

/** The tokenizer that the model file carries. */
export async function provisionTokenizer({ path }: ResolvedModel): Promise<Tokenizer> {
  const file = await openGguf(path);
  try {
    return loadTokenizer(file);
  } finally {
    await file.close();
  }
}

/** Loads the backend into this process; builds the native one when that is what is asked for. */
export async function provisionBackend(settings: Settings): Promise<Backend> {
  const progress = progressPrinter(process.stderr);
  try {
    return await loadBackend({
      requested: settings.backend,
      cacheDir: settings.cacheDir,
      allowBuild: true,
      onProgress: progress.step,
    });
  } finally {
    progress.end();
  }
}
