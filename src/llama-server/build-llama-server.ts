// `kvshare llama-server`: builds llama.cpp's server into the cache, for `bench peers` to measure against. Nothing else
// needs it. Built beside its place and renamed, so that a half-built server is never found.
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KvShareError } from '../errors.ts';
import {
  pipDownload,
  runTool,
  sha256File,
  withFolderLock,
  type OnProgress,
} from '../provisioning/index.ts';
import { configureArgs, llamaServerFolder, recipe, serverIn } from './recipe.ts';

export interface LlamaServerOptions {
  readonly cacheDir: string;
  /** Compilers at a time. */
  readonly jobs: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

export interface LlamaServerBuild {
  readonly path: string;
  readonly built: boolean;
}

const runs = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** The built server, or null. */
export async function findLlamaServer(cacheDir: string): Promise<string | null> {
  const path = serverIn(llamaServerFolder(cacheDir));
  return (await runs(path)) ? path : null;
}

async function checkTools(): Promise<void> {
  const tools = { python3: ['-m', 'pip'], cmake: [], make: [], 'g++': [] };
  const missing: string[] = [];
  for (const [command, args] of Object.entries(tools)) {
    const there = await runTool({ command, args: [...args, '--version'] }).then(
      () => true,
      () => false,
    );
    if (!there) missing.push(command === 'python3' ? 'python3 with pip' : command);
  }
  if (missing.length === 0) return;
  throw new KvShareError('native_build_failed', `Building needs ${missing.join(', ')}.`);
}

async function fetchSource(work: string, options: LlamaServerOptions): Promise<string> {
  const { onProgress = () => undefined, signal } = options;
  const archive = await pipDownload({
    folder: join(work, 'sdist'),
    requirement: `${recipe.project}==${recipe.release}`,
    extraArgs: [`--no-binary=${recipe.project}`],
    phase: `downloading llama.cpp (in ${recipe.project} ${recipe.release})`,
    totalBytes: recipe.bytes,
    onProgress,
    signal,
  });
  if ((await sha256File(archive)) !== recipe.sha256) {
    throw new Error(`${recipe.project} is not the pinned one (sha256 differs)`);
  }
  await runTool({ command: 'tar', args: ['-xzf', archive, '-C', work], signal });
  return join(work, recipe.source);
}

async function build(work: string, options: LlamaServerOptions): Promise<void> {
  const { onProgress = () => undefined, signal, jobs } = options;
  const source = await fetchSource(work, options);
  const target = join(work, 'build');
  onProgress({ phase: 'compiling llama-server (about 8 minutes on two cores)' });
  await runTool({
    command: 'cmake',
    args: ['-G', 'Unix Makefiles', '-S', source, '-B', target, ...configureArgs],
    signal,
  });
  await runTool({
    command: 'cmake',
    args: ['--build', target, '--target', 'llama-server', '--parallel', `${jobs}`],
    signal,
  });
  const finished = serverIn(join(target, 'bin'));
  onProgress({ phase: 'trying it out' });
  await runTool({ command: finished, args: ['--version'], signal });
  await mkdir(join(work, 'out'));
  await rename(finished, serverIn(join(work, 'out')));
}

/** Retries, because a tool that was just ended may still be writing its last file. */
const removeTree = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 5 });

async function buildAndPublish(options: LlamaServerOptions): Promise<LlamaServerBuild> {
  const folder = llamaServerFolder(options.cacheDir);
  const parent = dirname(folder);
  // The lock is ours: folders here were left by builds that died.
  for (const name of await readdir(parent)) {
    if (name.startsWith('build-')) await removeTree(join(parent, name));
  }
  const work = await mkdtemp(join(parent, 'build-'));
  try {
    await build(work, options);
    await removeTree(folder);
    await rename(join(work, 'out'), folder);
  } catch (error) {
    const reason = options.signal?.aborted ? 'The build was cancelled.' : (error as Error).message;
    throw new KvShareError('native_build_failed', reason);
  } finally {
    await removeTree(work);
  }
  return { path: serverIn(folder), built: true };
}

/** Throws KvShareError `native_build_failed` with one line. */
export async function buildLlamaServer(options: LlamaServerOptions): Promise<LlamaServerBuild> {
  const { cacheDir, signal } = options;
  const present = async (): Promise<LlamaServerBuild | null> => {
    const path = await findLlamaServer(cacheDir);
    return path === null ? null : { path, built: false };
  };
  const found = await present();
  if (found) return found;
  await checkTools();
  const parent = dirname(llamaServerFolder(cacheDir));
  await mkdir(parent, { recursive: true, mode: 0o700 });
  // Whoever held the lock before us may have built it meanwhile.
  const work = async (): Promise<LlamaServerBuild> =>
    (await present()) ?? (await buildAndPublish(options));
  return withFolderLock(join(parent, 'lock'), work, signal);
}
