// `kvshare native --backend webgpu`: Dawn, the WebGPU of Chromium, as an addon for Node, and TensorFlow.js on top of it,
// out of npm. In the cache and not among our dependencies: 200 MB that only machines with a GPU have a use for.
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { KvShareError } from '../errors.ts';
import { runTool, sha256File, withFolderLock, type OnProgress } from '../provisioning/index.ts';

const packages = {
  webgpu: '0.6.2',
  '@tensorflow/tfjs-backend-webgpu': '4.22.0',
  '@tensorflow/tfjs-core': '4.22.0',
} as const;

/** Of the addon, by platform and architecture as its package names them. */
const addons: Readonly<Record<string, string>> = {
  'linux-x64': 'ab18a659f8325e874ea45c80347b64336d7f748601102753d2bc669fdecfd710',
  'linux-arm64': '474a272ac9be570b04fa3791576d32e56f574818e60190c6788a83be90233980',
  'darwin-universal': 'f5b278f3dc65276bf1f8a667f91650d32585431d5b2d148ca729f67924c574a3',
  'win32-x64': '75fff5db8a7541ad7a2d22c468e6f8bc3614b87c3b649c8ce712f7f5148ef338',
  'win32-arm64': 'd0ef6fe1551cd08fb0fee2a8281d38008434697e5d9a6f3bfdcbb9ab00755672',
};

const platformHere = (): string =>
  process.platform === 'darwin' ? 'darwin-universal' : `${process.platform}-${process.arch}`;

function webgpuFolder(cacheDir: string): string {
  const key = createHash('sha256').update(JSON.stringify([packages, addons, platformHere()]));
  return join(cacheDir, 'webgpu', key.digest('hex').slice(0, 16));
}

export interface WebgpuOptions {
  readonly cacheDir: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** The folder whose node_modules hold the packages, or null. */
export async function findWebgpu(cacheDir: string): Promise<string | null> {
  const folder = webgpuFolder(cacheDir);
  return access(folder).then(
    () => folder,
    () => null,
  );
}

async function install(work: string, options: WebgpuOptions): Promise<void> {
  const { onProgress = () => undefined, signal } = options;
  onProgress({ phase: `installing webgpu ${packages.webgpu} (200 MB)` });
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--loglevel=error'];
  const wanted = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  await runTool({
    command: 'npm',
    args: ['install', '--prefix', work, ...quiet, ...wanted],
    cwd: work,
    signal,
  });
  const platforms = join(work, 'node_modules', 'webgpu', 'dist');
  const addon = join(platforms, platformHere(), 'dawn.node');
  if ((await sha256File(addon)) !== addons[platformHere()]) {
    throw new Error('the WebGPU addon is not the pinned one (sha256 differs)');
  }
  for (const name of await readdir(platforms)) {
    if (name !== platformHere()) await rm(join(platforms, name), { recursive: true });
  }
}

/** Throws KvShareError `native_build_failed` with one line. */
export async function fetchWebgpu(
  options: WebgpuOptions,
): Promise<{ readonly packageDir: string; readonly built: boolean }> {
  const { cacheDir, signal } = options;
  const folder = webgpuFolder(cacheDir);
  if (!(platformHere() in addons)) {
    throw new KvShareError('native_build_failed', `There is no WebGPU for ${platformHere()}.`);
  }
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const work = async (): Promise<boolean> => {
    if ((await findWebgpu(cacheDir)) !== null) return false;
    const temporary = await mkdtemp(join(parent, 'fetch-'));
    try {
      await install(temporary, options);
      await rename(temporary, folder);
      return true;
    } catch (error) {
      await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
      throw new KvShareError('native_build_failed', (error as Error).message);
    }
  };
  return { packageDir: folder, built: await withFolderLock(join(parent, 'lock'), work, signal) };
}
