// TensorFlow's C library behind TensorFlow.js: tfjs-node-gpu from npm where its prebuilt library could be
// installed, our own build of tfjs-node otherwise.
import { createRequire } from 'node:module';
import { buildNative, findNative } from '../../native/index.ts';
import type { BackendOptions, LoadedTf, Tf } from './backend-options.ts';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
/** npm packages that bring TensorFlow's library along, where its host could be reached at install time. */
const PREBUILT_PACKAGES = [GPU_PACKAGE, '@tensorflow/tfjs-node'] as const;

interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

type NativeTf = Tf & { readonly version?: Readonly<Record<string, string>> };

const requireHere = createRequire(import.meta.url);

function loadPackage(path: string): NativeTf {
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

const usesGpu = (tf: Tf): boolean => (tf.backend() as NativeBackend).isUsingGpuDevice === true;

const describe = (tf: NativeTf, origin: string): string =>
  `TensorFlow through tfjs-node ${tf.version?.['tfjs-core'] ?? ''}, ${origin}, on the ${usesGpu(tf) ? 'GPU' : 'CPU'}`;

/** Only with a GPU device: tfjs-node-gpu without one would silently compute on the CPU. */
// eslint-disable-next-line @typescript-eslint/require-await -- one shape for all loaders
export async function loadTensorflowGpu({ allowCpu }: BackendOptions): Promise<LoadedTf> {
  const tf = loadPrebuilt(GPU_PACKAGE);
  if (!tf) throw new Error(`${GPU_PACKAGE} is not installed or does not load`);
  if (!usesGpu(tf) && !allowCpu) throw new Error('TensorFlow found no GPU device');
  return { tf, description: describe(tf, 'prebuilt') };
}

async function nativePackage(options: BackendOptions): Promise<string> {
  const found = await findNative(options.cacheDir);
  if (found !== null) return found;
  if (!options.allowBuild) throw new Error('not built yet; `kvshare native` builds it');
  const { cacheDir, onProgress } = options;
  return (await buildNative({ cacheDir, ...(onProgress && { onProgress }) })).packageDir;
}

/** A prebuilt library that loads, else our build: two TensorFlows in one process would clash. */
export async function loadTensorflow(options: BackendOptions): Promise<LoadedTf> {
  for (const name of PREBUILT_PACKAGES) {
    const tf = loadPrebuilt(name);
    if (tf) return { tf, description: describe(tf, 'prebuilt') };
  }
  const tf = loadPackage(await nativePackage(options));
  return { tf, description: describe(tf, 'built here') };
}
