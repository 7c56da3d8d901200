// `kvshare native`: fetches the pieces, compiles tfjs-node's binding against TensorFlow's C library (13 s)
// and lets a child process multiply two matrices before anybody else may use the result. Built beside its
// place and renamed, so a half-built backend is never found.
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { KvShareError } from '../errors.ts';
import { runTool, sha256File, withFolderLock, type OnProgress } from '../provisioning/index.ts';
import { nativeFolder, packageFolder, recipe } from './recipe.ts';

export interface NativeOptions {
  readonly cacheDir: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
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
export async function findNative(cacheDir: string): Promise<string | null> {
  const packageDir = packageFolder(nativeFolder(cacheDir));
  return (await exists(join(packageDir, 'lib', 'napi-v8', 'tfjs_binding.node')))
    ? packageDir
    : null;
}

function checkPlatform(): void {
  if (process.platform === 'linux' && process.arch === 'x64') return;
  throw new KvShareError(
    'native_build_failed',
    `The native backend is built on Linux x64 only, this is ${process.platform} ${process.arch}.`,
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

const EXTRACT = `
import os, shutil, sys, zipfile
wheel, deps = sys.argv[1], sys.argv[2]
libraries = ('libtensorflow_cc.so.2', 'libtensorflow_framework.so.2')
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        base = os.path.basename(name)
        if name.startswith('tensorflow/include/') and base and '..' not in name:
            target = os.path.join(deps, 'include', name[len('tensorflow/include/'):])
        elif os.path.dirname(name) == 'tensorflow' and base in libraries:
            target = os.path.join(deps, 'lib', base)
        else:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(name) as source, open(target, 'wb') as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
`;

async function fetchLibrary(work: string, deps: string, options: NativeOptions): Promise<void> {
  const { onProgress = () => undefined, signal } = options;
  const folder = join(work, 'wheel');
  await mkdir(folder);
  const phase = `downloading TensorFlow ${recipe.tensorflow}`;
  onProgress({ phase, bytes: 0, totalBytes: recipe.wheelBytes });
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
  const target = ['--python-version', recipe.pythonVersion, '--platform', recipe.platform];
  await runTool({
    command: 'python3',
    args: [...pip, ...target, '-d', folder, `tensorflow-cpu==${recipe.tensorflow}`],
    signal,
    watch: {
      folder,
      onBytes: (bytes) => onProgress({ phase, bytes, totalBytes: recipe.wheelBytes }),
    },
  });
  const wheel = join(folder, (await readdir(folder))[0] ?? '');
  if ((await sha256File(wheel)) !== recipe.wheelSha256) {
    throw new Error('the TensorFlow wheel is not the pinned one (sha256 differs)');
  }
  onProgress({ phase: 'unpacking the library (1 GB)' });
  await runTool({ command: 'python3', args: ['-c', EXTRACT, wheel, deps], signal });
  await rm(folder, { recursive: true });
  const lib = join(deps, 'lib');
  await symlink('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so.2'));
  await symlink('libtensorflow_cc.so.2', join(lib, 'libtensorflow.so'));
  await symlink('libtensorflow_framework.so.2', join(lib, 'libtensorflow_framework.so'));
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
`;

async function build(work: string, options: NativeOptions): Promise<void> {
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
  await fetchLibrary(work, join(packageDir, 'deps'), options);
  onProgress({ phase: 'compiling the binding (about 15 s)' });
  await runTool({
    command: 'npx',
    args: [
      ...['--yes', `node-gyp@${recipe.nodeGyp}`, 'configure', 'build', ...(await headerArgs())],
      `--napi_build_version=${recipe.napiVersion}`,
      '--module_name=tfjs_binding',
      `--module_path=${join(packageDir, 'lib', `napi-v${recipe.napiVersion}`)}`,
    ],
    cwd: packageDir,
    signal,
  });
  onProgress({ phase: 'trying it out' });
  await runTool({ command: process.execPath, args: ['-e', TRY_OUT, packageDir], signal });
}

/** Throws KvShareError `native_build_failed` with one line. */
export async function buildNative(options: NativeOptions): Promise<NativeBuild> {
  const found = await findNative(options.cacheDir);
  if (found !== null) return { packageDir: found, built: false };
  checkPlatform();
  await checkTools();
  const folder = nativeFolder(options.cacheDir);
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const work = async (): Promise<NativeBuild> => {
    const meanwhile = await findNative(options.cacheDir);
    if (meanwhile !== null) return { packageDir: meanwhile, built: false };
    // The lock is ours: temporary folders here were left by builds that died.
    for (const name of await readdir(parent)) {
      if (name.startsWith('build-')) await rm(join(parent, name), { recursive: true, force: true });
    }
    const temporary = await mkdtemp(join(parent, 'build-'));
    try {
      await build(temporary, options);
      await rm(folder, { recursive: true, force: true });
      await rename(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      if (options.signal?.aborted) throw error;
      throw new KvShareError('native_build_failed', (error as Error).message);
    }
    return { packageDir: packageFolder(folder), built: true };
  };
  return withFolderLock(join(parent, 'lock'), work, options.signal);
}
