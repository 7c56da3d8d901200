// TensorFlow's C library behind TensorFlow.js: from npm where the prebuilt library could be installed, our own build of
// tfjs-node otherwise, with CUDA or without.
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
  return { tf, description: `TensorFlow through tfjs-node ${version}, ${where}`, hasOwnMemory };
}

/** The one TensorFlow of this process: a second library beside it would clash. */
let loaded: LoadedTf | null = null;

/** Only with a GPU device: TensorFlow without one would silently compute on the CPU. */
export async function loadTensorflowGpu(options: BackendOptions): Promise<LoadedTf> {
  const prebuilt = loadPrebuilt(GPU_PACKAGE);
  if (prebuilt) {
    loaded ??= describe(prebuilt, 'prebuilt');
  } else {
    const built = await findNative(options.cacheDir, 'tensorflow-gpu');
    if (built === null) {
      throw new Error(
        'not built yet; `kvshare native --backend tensorflow-gpu` builds it (3.3 GB)',
      );
    }
    loaded ??= describe(loadPackage(built), 'built here');
  }
  if (!loaded.hasOwnMemory && !options.allowCpu) throw new Error('TensorFlow found no GPU device');
  return loaded;
}

async function nativePackage(options: BackendOptions): Promise<string> {
  const { cacheDir, onProgress } = options;
  const build = 'tensorflow';
  const found = await findNative(cacheDir, build);
  if (found !== null) return found;
  if (!options.allowBuild) throw new Error('not built yet; `kvshare native` builds it');
  return (await buildNative({ cacheDir, build, ...(onProgress && { onProgress }) })).packageDir;
}

/** A prebuilt library that loads, else our build. */
export async function loadTensorflow(options: BackendOptions): Promise<LoadedTf> {
  if (loaded) return loaded;
  for (const name of PREBUILT_PACKAGES) {
    const tf = loadPrebuilt(name);
    if (tf) return (loaded = describe(tf, 'prebuilt'));
  }
  return (loaded = describe(loadPackage(await nativePackage(options)), 'built here'));
}
