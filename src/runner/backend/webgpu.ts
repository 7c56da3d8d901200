// WebGPU through Dawn. Tensors, KV among them, stay on the GPU until somebody asks for their numbers, which takes a
// wait: there is no reading at once.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findWebgpu } from '../../native/index.ts';
import type { BackendOptions, LoadedTf, Tf } from './backend-options.ts';
import { boundFreeBuffers, type BufferManager } from './free-buffers.ts';

const DAWN = 'webgpu';
const TFJS = '@tensorflow/tfjs-backend-webgpu';

interface AdapterInfo {
  readonly vendor: string;
  readonly device: string;
  readonly description: string;
  /** Computes on the CPU. */
  readonly isFallbackAdapter: boolean;
}
interface Gpu {
  requestAdapter(): Promise<{ readonly info: AdapterInfo } | null>;
}
interface DawnModule {
  create(options: readonly string[]): Gpu;
  readonly globals: object;
}

/** A device as far as it can fail. */
interface Device {
  readonly limits: { readonly maxStorageBufferBindingSize: number };
  readonly lost: Promise<{ readonly message: string }>;
  addEventListener(
    type: 'uncapturederror',
    listener: (event: { readonly error: { readonly message: string } }) => void,
  ): void;
}
interface WebgpuBackend {
  readonly device: Device;
  readonly bufferManager: BufferManager;
  read(id: object): Promise<unknown>;
}

/** The scores of 1,024 rows over 8,000 keys of this model are 300 MB. */
const LONG_STEP_BYTES = 2 ** 29;

/** Where this package was installed together with ours, else what `kvshare native --backend webgpu` fetched. */
async function findPackages(cacheDir: string): Promise<NodeJS.Require> {
  const fetched = await findWebgpu(cacheDir);
  const places = [import.meta.url, ...(fetched === null ? [] : [join(fetched, 'package.json')])];
  for (const place of places) {
    const require = createRequire(place);
    try {
      for (const name of [DAWN, TFJS]) require.resolve(name);
      return require;
    } catch {
      // The next place.
    }
  }
  throw new Error('its packages are not here; `kvshare native --backend webgpu` fetches them');
}

/**
 * Of a failed allocation WebGPU tells only who listens, and computes on with zeros. So from the first error on
 * nothing can be read any more: better no answer than a wrong one.
 */
function distrustAfterErrors(backend: WebgpuBackend): Promise<string> {
  let failure: Error | null = null;
  const failed = new Promise<string>((resolve) => {
    const fail = (message: string): void => {
      failure ??= new Error(`WebGPU failed: ${message.split('\n')[0]!}`);
      resolve(failure.message);
    };
    backend.device.addEventListener('uncapturederror', ({ error }) => fail(error.message));
    void backend.device.lost.then(({ message }) => fail(`the device is lost: ${message}`));
  });
  const read = backend.read.bind(backend);
  backend.read = async (id) => {
    const numbers = await read(id);
    if (failure) throw failure;
    return numbers;
  };
  return failed;
}

export async function loadWebgpu({ cacheDir, allowCpu }: BackendOptions): Promise<LoadedTf> {
  const require = await findPackages(cacheDir);
  const dawn = (await import(pathToFileURL(require.resolve(DAWN)).href)) as DawnModule;
  Object.assign(globalThis, dawn.globals);
  const gpu = dawn.create([]);
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('WebGPU found no adapter');
  const { vendor, device, isFallbackAdapter } = adapter.info;
  const name =
    [adapter.info.description, device, vendor].find((text) => text !== '') ?? 'unnamed adapter';
  if (isFallbackAdapter && !allowCpu) {
    throw new Error(`WebGPU found no GPU, only ${name}, which computes on the CPU`);
  }
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const tf = require('@tensorflow/tfjs-core') as Tf;
  require(TFJS);
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js could not start webgpu');
  await tf.ready();
  const backend = tf.backend() as unknown as WebgpuBackend;
  const { maxStorageBufferBindingSize } = backend.device.limits;
  const isLarge = !isFallbackAdapter && maxStorageBufferBindingSize >= LONG_STEP_BYTES;
  boundFreeBuffers(backend.bufferManager, isLarge ? 2 ** 30 : 2 ** 28);
  const failed = distrustAfterErrors(backend);
  const where = isFallbackAdapter ? 'a software adapter on the CPU' : 'the GPU';
  const description = `WebGPU through Dawn on ${where}, ${name}`;
  return { tf, description, hasOwnMemory: true, likesLongSteps: isLarge, failed };
}
