// One selector for every backend, best first: tensorflow-gpu → tensorflow (our build, else a prebuilt library) →
// webgpu → wasm → cpu. A forced backend that cannot run is an error, never a silent substitute.
import { KvShareError } from '../../errors.ts';
import type { BackendOptions, BackendRequest, LoadedTf } from './backend-options.ts';
import { loadTensorflow, loadTensorflowGpu } from './native.ts';
import { loadCpu, loadWasm } from './portable.ts';
import { loadWebgpu } from './webgpu.ts';

export type BackendName = Exclude<BackendRequest, 'auto'>;

export interface Backend extends LoadedTf {
  readonly name: BackendName;
  /** Better ones that did not work here, and why. */
  readonly tried: readonly { readonly name: BackendName; readonly reason: string }[];
}

/** Each throws an Error with one line when it cannot run here. */
const loaders: Record<BackendName, (options: BackendOptions) => Promise<LoadedTf>> = {
  'tensorflow-gpu': loadTensorflowGpu,
  tensorflow: loadTensorflow,
  webgpu: loadWebgpu,
  wasm: loadWasm,
  cpu: loadCpu,
};

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'unknown';

/** Throws KvShareError `backend_unavailable` with one line. */
export async function loadBackend(options: BackendOptions): Promise<Backend> {
  const { requested } = options;
  if (requested !== 'auto') {
    try {
      return { ...(await loaders[requested](options)), name: requested, tried: [] };
    } catch (error) {
      const message = `Backend ${requested} cannot run here: ${reasonOf(error)}`;
      throw new KvShareError('backend_unavailable', message);
    }
  }
  const tried: { name: BackendName; reason: string }[] = [];
  for (const name of Object.keys(loaders) as BackendName[]) {
    try {
      return { ...(await loaders[name]({ ...options, allowCpu: false })), name, tried };
    } catch (error) {
      tried.push({ name, reason: reasonOf(error) });
    }
  }
  throw new KvShareError('backend_unavailable', 'No TensorFlow.js backend runs here.');
}
