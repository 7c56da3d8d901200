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
