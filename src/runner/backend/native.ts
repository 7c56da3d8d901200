// TensorFlow's C library behind TensorFlow.js: our own build of tfjs-node, with CUDA or without, or the library that npm
// brought along.
import { createRequire } from 'node:module';
import { buildNative, findNative } from '../../native/index.ts';
import type { BackendOptions, LoadedTf, Tf } from './backend-options.ts';
import { showsNoGpu } from './gpu-devices.ts';
import { restoreOldUtil } from './old-util.ts';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
/** npm packages that bring TensorFlow's library along, where its host could be reached at install time. */
const PREBUILT_PACKAGES = ['@tensorflow/tfjs-node', GPU_PACKAGE] as const;

interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

type NativeTf = Tf & { readonly version?: Readonly<Record<string, string>> };

const requireHere = createRequire(import.meta.url);

function loadPackage(path: string): NativeTf {
  restoreOldUtil();
  return requireHere(path) as NativeTf;
}

/** By the name of an npm package or by path; null when its library is not there or does not load. */
function tryPackage(path: string): NativeTf | null {
  try {
    return loadPackage(path);
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

/** The one TensorFlow of this process: a second library beside it would clash. */
let loaded: LoadedTf | null = null;

/** Only with a GPU device: TensorFlow without one would silently compute on the CPU. */
export async function loadTensorflowGpu(options: BackendOptions): Promise<LoadedTf> {
  if (!loaded) {
    // Loaded in vain it would be what the CPU has to do with: often an old one that npm brought along.
    if (options.requested === 'auto' && showsNoGpu()) throw new Error('this machine shows no GPU');
    // Somebody wanted the build, and it runs graphs.
    const built = await findNative(options.cacheDir, 'tensorflow-gpu');
    const prebuilt = built === null ? tryPackage(GPU_PACKAGE) : null;
    if (prebuilt) loaded = describe(prebuilt, 'prebuilt');
    else if (built !== null) loaded = describe(loadPackage(built), 'built here');
    else {
      throw new Error(
        'not built yet; `kvshare native --backend tensorflow-gpu` builds it (3.3 GB)',
      );
    }
  }
  if (!loaded.hasOwnMemory && !options.allowCpu) throw new Error('TensorFlow found no GPU device');
  return loaded;
}

async function newBuild(options: BackendOptions): Promise<string> {
  const { cacheDir, onProgress } = options;
  const build = 'tensorflow';
  if (!options.allowBuild) throw new Error('not built yet; `kvshare native` builds it');
  return (await buildNative({ cacheDir, build, ...(onProgress && { onProgress }) })).packageDir;
}

/** Our build where there is one, that for a GPU where there is none to use it on, a prebuilt library that loads, else a new build. */
export async function loadTensorflow(options: BackendOptions): Promise<LoadedTf> {
  if (loaded) return loaded;
  const found = await findNative(options.cacheDir, 'tensorflow');
  if (found !== null) return (loaded = describe(loadPackage(found), 'built here'));
  const forGpu = showsNoGpu() ? await findNative(options.cacheDir, 'tensorflow-gpu') : null;
  const built = forGpu === null ? null : tryPackage(forGpu);
  if (built) return (loaded = describe(built, 'built here'));
  for (const name of PREBUILT_PACKAGES) {
    const tf = tryPackage(name);
    if (tf) return (loaded = describe(tf, 'prebuilt'));
  }
  return (loaded = describe(loadPackage(await newBuild(options)), 'built here'));
}
