// How much memory there is, and what of it is not the runner's.
import { totalmem } from 'node:os';

export interface MemoryLimit {
  readonly bytes: number;
  /** Of a container or a service: who takes more is killed. A machine has other processes, and may have swap. */
  readonly isEnforced: boolean;
}

export function memoryLimit(): MemoryLimit {
  const total = totalmem();
  // Without a limit nothing, or a number beyond all memory.
  const limit = process.constrainedMemory();
  const isEnforced = limit > 0 && limit < total;
  return { bytes: isEnforced ? limit : total, isEnforced };
}

/**
 * What the process of `kvshare serve` takes: 310 MiB at most, measured under eight clients with word vectors. A child process
 * with graphs of vectors, which a large index gets, takes 85 MiB and what it holds besides.
 */
export const SIDECAR_BYTES = 320 * 2 ** 20;

/** Set by `serve` for its runner. */
const BESIDE_VARIABLE = 'KVSHARE_BESIDE_BYTES';

export const besideSidecar: Record<string, string> = { [BESIDE_VARIABLE]: `${SIDECAR_BYTES}` };

/** Of the same limit, by whoever started this process. */
export const besideBytes = (env: NodeJS.ProcessEnv): number => Number(env[BESIDE_VARIABLE]) || 0;

/**
 * A runner computes with tensors of a few hundred sizes, and allocators kept every size that there ever was. One arena, and
 * what is large back to the system at once: under load 270 MiB less with 512 MiB of KV, 560 less with 1 GiB, for 10 to 25 ms more
 * an import of 800 to 1,600 tokens, whose memory is new each time. So where memory is limited. Read by TensorFlow and by glibc while a process starts, so
 * whoever starts it has to set them: `serve`, the Dockerfile.
 */
export const runnerAllocation: Record<string, string> = {
  TF_ONEDNN_USE_SYSTEM_ALLOCATOR: '1',
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: `${4 * 2 ** 20}`,
  MALLOC_TRIM_THRESHOLD_: `${64 * 2 ** 20}`,
};

/** Whether this process was started like that. */
export const isFrugal = (env: NodeJS.ProcessEnv): boolean =>
  Object.keys(runnerAllocation).every((name) => env[name] !== undefined);
