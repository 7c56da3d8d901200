// What a runner may keep, found before its weights are read. Where the kernel would end it for taking more, it does not start.
import { memoryLimit } from '../config-memory.ts';
import type { Settings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import type { Backend } from '../runner/backend/index.ts';
import {
  modelMemory,
  planMemory,
  type MemoryPlan,
  type ModelMemory,
} from '../runner/memory-plan.ts';
import type { Log } from '../telemetry/index.ts';

type Asked = Pick<Settings, 'kvBytes' | 'kv' | 'precision' | 'besideBytes' | 'isFrugal'>;

export const planFor = (
  { kvBytes, kv, precision, besideBytes, isFrugal }: Asked,
  { name, hasOwnMemory }: Pick<Backend, 'name' | 'hasOwnMemory'>,
  model: ModelMemory,
  limitBytes: number,
): MemoryPlan =>
  planMemory({
    ...{ model, backend: name, hasOwnMemory, precision },
    ...{ kvBytes, hostBytes: kv.hostBytes, isFrugal, besideBytes, limitBytes },
  });

async function readMemory(modelPath: string): Promise<ModelMemory> {
  const file = await openGguf(modelPath);
  try {
    return modelMemory(file);
  } finally {
    await file.close();
  }
}

/** Most bytes of live KV. Throws KvShareError `config_invalid` where all of it does not fit into the limit of a container. */
export async function fitMemory(
  settings: Asked,
  backend: Backend,
  modelPath: string,
  log: Log,
): Promise<number> {
  const limit = memoryLimit();
  const plan = planFor(settings, backend, await readMemory(modelPath), limit.bytes);
  if (plan.fits) return plan.kvBytes;
  if (limit.isEnforced) {
    throw new KvShareError('config_invalid', `Memory is too small: ${plan.says}; ${plan.todo}.`);
  }
  log.warn({}, `memory may not be enough: ${plan.says}; ${plan.todo}`);
  return plan.kvBytes;
}
