// TensorFlow's C library behind TensorFlow.js: tfjs-node-gpu from npm where its prebuilt library could be
// installed, our own build of tfjs-node otherwise.
import { createRequire } from 'node:module';
import { buildNative, findNative } from '../../native/index.ts';
import type { BackendOptions, LoadedTf, Tf } from './backend-options.ts';

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';

interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

type NativeTf = Tf & { readonly version?: Readonly<Record<string, string>> };

const requireHere = createRequire(import.meta.url);

function loadPackage(path: string): NativeTf {
  return requireHere(path) as NativeTf;
}

/** The npm package, when its library is there and loads. */
function loadPrebuilt(): NativeTf {
  try {
    return loadPackage(GPU_PACKAGE);
  } catch {
    throw new Error(`${GPU_PACKAGE} is not installed or does not load`);
  }
}

const usesGpu = (tf: Tf): boolean => (tf.backend() as NativeBackend).isUsingGpuDevice === true;

const describe = (tf: NativeTf, origin: string): string =>
  `TensorFlow through tfjs-node ${tf.version?.['tfjs-core'] ?? ''}, ${origin}`;

/** Only with a GPU device: tfjs-node-gpu without one would silently compute on the CPU. */
// eslint-disable-next-line @typescript-eslint/require-await -- one shape for all loaders
export async function loadTensorflowGpu(): Promise<LoadedTf> {
  const tf = loadPrebuilt();
  if (!usesGpu(tf)) throw new Error('TensorFlow found no GPU device');
  return { tf, description: describe(tf, 'on the GPU') };
}

async function nativePackage(options: BackendOptions): Promise<string> {
  const found = await findNative(options.cacheDir);
  if (found !== null) return found;
  if (!options.allowBuild) throw new Error('not built yet; `kvshare native` builds it');
  const { cacheDir, onProgress } = options;
  return (await buildNative({ cacheDir, ...(onProgress && { onProgress }) })).packageDir;
}

export async function loadTensorflow(options: BackendOptions): Promise<LoadedTf> {
  // A current TensorFlow is faster than the prebuilt one of 2022, so our own build comes first if it is there.
  if ((await findNative(options.cacheDir)) === null) {
    try {
      const tf = loadPrebuilt();
      return { tf, description: describe(tf, 'prebuilt, on the CPU') };
    } catch {
      // No prebuilt library: build one below.
    }
  }
  const tf = loadPackage(await nativePackage(options));
  return { tf, description: describe(tf, 'built here, on the CPU') };
}
