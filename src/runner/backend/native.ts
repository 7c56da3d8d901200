// TensorFlow's C library behind TensorFlow.js: our own build of tfjs-node, with CUDA or without, or the library that npm
// brought along.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buildNative, findNative } from '../../native/index.ts';
import type { BackendOptions, LoadedTf, Tf } from './backend-options.ts';
import { restoreOldUtil } from './old-util.ts';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
/** npm packages that bring TensorFlow's library along, where its host could be reached at install time. */
const PREBUILT_PACKAGES = [GPU_PACKAGE, '@tensorflow/tfjs-node'] as const;

interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

type NativeTf = Tf & { readonly version?: Readonly<Record<string, string>> };

const requireHere = createRequire(import.meta.url);

function loadPackage(path: string): NativeTf {
  restoreOldUtil();
  return requireHere(path) as NativeTf;
}

/** The npm package, when its library is there and loads. */
function loadPrebuilt(name: string): NativeTf | null {
  try {
    return loadPackage(name);
  } catch {
    return null;
  }
}

function describe(tf: NativeTf, origin: 'prebuilt' | 'built here'): LoadedTf {
  const version = tf.version?.['tfjs-core'] ?? '';
  const hasOwnMemory = (tf.backend() as NativeBackend).isUsingGpuDevice === true;
  const where = `${origin}, on the ${hasOwnMemory ? 'GPU' : 'CPU'}`;
  const description = `TensorFlow through tfjs-node ${version}, ${where}`;
  return { tf, description, hasOwnMemory, likesLongSteps: hasOwnMemory };
}

/** NVIDIA's driver, the same below WSL, and on Tegra boards. */
const GPU_DEVICES = ['/dev/nvidiactl', '/dev/dxg', '/dev/nvmap'];

/** Whether a GPU is out of the question, as far as can be told without loading anything. */
const hasNoGpu = (): boolean => process.platform === 'linux' && !GPU_DEVICES.some(existsSync);

const NO_GPU = 'TensorFlow found no GPU device';

/** The one TensorFlow of this process: a second library beside it would clash. */
let loaded: LoadedTf | null = null;

/** Only with a GPU device: TensorFlow without one would silently compute on the CPU. */
export async function loadTensorflowGpu(options: BackendOptions): Promise<LoadedTf> {
  if (!loaded) {
    // Loaded in vain it would be what the CPU has to do with: often an old one that npm brought along.
    if (!options.allowCpu && hasNoGpu()) throw new Error(NO_GPU);
    // Somebody wanted the build, and it runs graphs.
    const built = await findNative(options.cacheDir, 'tensorflow-gpu');
    const prebuilt = built === null ? loadPrebuilt(GPU_PACKAGE) : null;
    if (prebuilt) loaded = describe(prebuilt, 'prebuilt');
    else if (built !== null) loaded = describe(loadPackage(built), 'built here');
    else {
      throw new Error(
        'not built yet; `kvshare native --backend tensorflow-gpu` builds it (3.3 GB)',
      );
    }
  }
  if (!loaded.hasOwnMemory && !options.allowCpu) throw new Error(NO_GPU);
  return loaded;
}

async function newBuild(options: BackendOptions): Promise<string> {
  const { cacheDir, onProgress } = options;
  const build = 'tensorflow';
  if (!options.allowBuild) throw new Error('not built yet; `kvshare native` builds it');
  return (await buildNative({ cacheDir, build, ...(onProgress && { onProgress }) })).packageDir;
}

/** Our build where there is one, a prebuilt library that loads, our build for a GPU, else a new build. */
export async function loadTensorflow(options: BackendOptions): Promise<LoadedTf> {
  if (loaded) return loaded;
  const found = await findNative(options.cacheDir, 'tensorflow');
  if (found !== null) return (loaded = describe(loadPackage(found), 'built here'));
  for (const name of PREBUILT_PACKAGES) {
    const tf = loadPrebuilt(name);
    if (tf) return (loaded = describe(tf, 'prebuilt'));
  }
  const forGpu = await findNative(options.cacheDir, 'tensorflow-gpu');
  if (forGpu !== null) return (loaded = describe(loadPackage(forGpu), 'built here'));
  return (loaded = describe(loadPackage(await newBuild(options)), 'built here'));
}
