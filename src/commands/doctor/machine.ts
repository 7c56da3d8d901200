// The machine: Node, the clock, the processor, memory.
import { statSync } from 'node:fs';
import { memoryLimit, SIDECAR_BYTES, type MemoryLimit } from '../../config-memory.ts';
import type { Settings } from '../../config.ts';
import { packageFolder, packageInfo } from '../../package-info.ts';
import { multipliesBf16, type Backend } from '../../runner/backend/index.ts';
import type { ModelMemory } from '../../runner/memory-plan.ts';
import { planFor } from '../fit-memory.ts';
import { findingsOf, type Finding } from './finding.ts';

const numbersOf = (version: string): number[] => (version.match(/\d+/g) ?? []).map(Number);

export function checkNode(version = process.versions.node): Finding {
  const node = findingsOf('node');
  const { engines } = packageInfo();
  const [needMajor, needMinor] = numbersOf(engines.node);
  const [major, minor] = numbersOf(version);
  const isEnough = major! > needMajor! || (major === needMajor && minor! >= needMinor!);
  if (isEnough) return node.ok(version);
  return node.fail(`${version}, ${engines.node} is needed`, 'install a current Node');
}

/** A clock that stood still breaks certificates, logs and traces. */
export function checkClock(now = Date.now()): Finding {
  const clock = findingsOf('clock');
  const says = new Date(now).toISOString();
  if (now >= statSync(packageFolder()).mtimeMs - 60_000) return clock.ok(says);
  return clock.fail(`${says} is before kvshare was installed`, 'set the clock (NTP)');
}

export function checkProcessor(
  { precision }: Pick<Settings, 'precision'>,
  hasBf16 = multipliesBf16(),
): Finding {
  const processor = findingsOf('processor');
  const name =
    hasBf16 === null ? 'features unknown' : `bfloat16 in hardware: ${hasBf16 ? 'yes' : 'no'}`;
  if (precision === 'fp32' || hasBf16 === true) return processor.ok(name);
  return processor.warn(
    `--precision bf16, ${name}`,
    'use fp32, or measure: without AVX512_BF16 or AMX bfloat16 is emulated',
  );
}

/** As `kvshare serve` finds it, sidecar and all. Null: no model file, no backend. */
export function checkMemory(
  settings: Pick<Settings, 'kvBytes' | 'kv' | 'precision'>,
  model: ModelMemory | null,
  backend: Pick<Backend, 'name' | 'hasOwnMemory'> | null,
  limit: MemoryLimit = memoryLimit(),
): Finding {
  const memory = findingsOf('memory');
  if (!model || !backend) {
    return memory.warn('not known without model and backend', 'see the lines on those');
  }
  const asked = { ...settings, besideBytes: SIDECAR_BYTES, isFrugal: limit.isEnforced };
  const { fits, says, todo } = planFor(asked, backend, model, limit.bytes);
  if (fits) return memory.ok(says);
  return limit.isEnforced ? memory.fail(says, todo) : memory.warn(says, todo);
}
