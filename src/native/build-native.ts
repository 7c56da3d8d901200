// `kvshare native`: fetches the pieces, compiles tfjs-node's binding, with an addition of ours, against TensorFlow's C library (13 s)
// and lets a child process multiply two matrices before anybody else may use the result. Built beside its
// place and renamed, so a half-built backend is never found.
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { KvShareError } from '../errors.ts';
import { runTool, withFolderLock } from '../provisioning/index.ts';
import { fetchLibrary, type FetchOptions } from './fetch-library.ts';
import { addGraphFunctions } from './graph-functions.ts';
import { nativeFolder, packageFolder, recipe, wheelsHere, type NativeBuildName } from './recipe.ts';
import type { Wheel } from './wheel.ts';

export interface NativeOptions extends FetchOptions {
  readonly cacheDir: string;
  readonly build: NativeBuildName;
  /** Builds again although a build is there; that one serves until the new one is finished. */
  readonly force?: boolean;
}

export interface NativeBuild {
  readonly packageDir: string;
  readonly built: boolean;
}

const exists = async (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

/** The built package's folder, or null. */
export async function findNative(cacheDir: string, build: NativeBuildName): Promise<string | null> {
  const packageDir = packageFolder(nativeFolder(cacheDir, build));
  return (await exists(join(packageDir, 'lib', 'napi-v8', 'tfjs_binding.node')))
    ? packageDir
    : null;
}

function wheelsForThisMachine(build: NativeBuildName): readonly Wheel[] {
  const wheels = wheelsHere(build);
  if (wheels) return wheels;
  const where = build === 'tensorflow-gpu' ? 'x64' : 'x64 and arm64';
  throw new KvShareError(
    'native_build_failed',
    `The backend ${build} is built on Linux ${where} with glibc only, this is ${process.platform} ${process.arch}.`,
  );
}

async function checkTools(): Promise<void> {
  const missing: string[] = [];
  const tools = { python3: ['-m', 'pip', '--version'], make: ['--version'], 'g++': ['--version'] };
  for (const [command, args] of Object.entries(tools)) {
    const works = await runTool({ command, args }).then(
      () => true,
      () => false,
    );
    if (!works) missing.push(command === 'python3' ? 'python3 with pip' : command);
  }
  if (missing.length === 0) return;
  throw new KvShareError('native_build_failed', `Building needs ${missing.join(', ')}.`);
}

/** Node's headers beside its executable, where its distribution put them; else node-gyp fetches them. */
async function headerArgs(): Promise<string[]> {
  const prefix = resolve(dirname(process.execPath), '..');
  const found = await exists(join(prefix, 'include', 'node', 'node_api.h'));
  return found ? [`--nodedir=${prefix}`] : [];
}

const TRY_OUT = `
const tf = require(process.argv[1]);
const product = tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5], [6]])).dataSync();
if (product[0] !== 17 || product[1] !== 39) throw new Error('wrong product');
if (typeof tf.backend().binding.addFunction !== 'function') throw new Error('no functions');
`;

async function buildIn(
  work: string,
  wheels: readonly Wheel[],
  options: NativeOptions,
): Promise<void> {
  const { onProgress = () => undefined, signal } = options;
  onProgress({ phase: `installing tfjs-node ${recipe.tfjsNode}` });
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  await runTool({
    command: 'npm',
    args: ['install', '--prefix', work, ...quiet, `@tensorflow/tfjs-node@${recipe.tfjsNode}`],
    cwd: work,
    signal,
  });
  const packageDir = packageFolder(work);
  const deps = join(packageDir, 'deps');
  await addGraphFunctions(packageDir);
  await fetchLibrary(work, deps, wheels, options);
  onProgress({ phase: 'compiling the binding (about 15 s)' });
  await runTool({
    command: 'npx',
    args: [
      ...['--yes', `node-gyp@${recipe.nodeGyp}`, 'configure', 'build', '--jobs=2'],
      ...(await headerArgs()),
      `--napi_build_version=${recipe.napiVersion}`,
      '--module_name=tfjs_binding',
      `--module_path=${join(packageDir, 'lib', `napi-v${recipe.napiVersion}`)}`,
    ],
    cwd: packageDir,
    signal,
  });
  // 290 MB that only the compiler needed.
  await rm(join(deps, 'include'), { recursive: true });
  onProgress({ phase: 'trying it out' });
  await runTool({ command: process.execPath, args: ['-e', TRY_OUT, packageDir], signal });
}

/** Swaps a finished build in; whoever has loaded the old one keeps its open files. */
async function publish(temporary: string, folder: string): Promise<void> {
  const replaced = `${temporary}-replaced`;
  if (await exists(folder)) await rename(folder, replaced);
  await rename(temporary, folder);
  await rm(replaced, { recursive: true, force: true });
}

/** The lock is ours: temporary folders here were left by builds that died. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (name.startsWith('build-')) await removeTree(join(parent, name));
  }
}

/** Retries, because a tool that was just ended may still be writing its last file. */
const removeTree = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 5 });

async function buildAndPublish(
  wheels: readonly Wheel[],
  options: NativeOptions,
): Promise<NativeBuild> {
  const folder = nativeFolder(options.cacheDir, options.build);
  const parent = dirname(folder);
  await sweep(parent);
  const temporary = await mkdtemp(join(parent, 'build-'));
  try {
    await buildIn(temporary, wheels, options);
    await publish(temporary, folder);
  } catch (error) {
    await removeTree(temporary);
    const reason = options.signal?.aborted ? 'The build was cancelled.' : (error as Error).message;
    throw new KvShareError('native_build_failed', reason);
  }
  return { packageDir: packageFolder(folder), built: true };
}

/** Throws KvShareError `native_build_failed` with one line. */
export async function buildNative(options: NativeOptions): Promise<NativeBuild> {
  const { cacheDir, build, signal, force = false } = options;
  const present = async (): Promise<NativeBuild | null> => {
    const packageDir = force ? null : await findNative(cacheDir, build);
    return packageDir === null ? null : { packageDir, built: false };
  };
  const found = await present();
  if (found) return found;
  const wheels = wheelsForThisMachine(build);
  await checkTools();
  const parent = dirname(nativeFolder(cacheDir, build));
  await mkdir(parent, { recursive: true, mode: 0o700 });
  // Whoever held the lock before us may have built it meanwhile.
  const work = async (): Promise<NativeBuild> =>
    (await present()) ?? (await buildAndPublish(wheels, options));
  return withFolderLock(join(parent, 'lock'), work, signal);
}
