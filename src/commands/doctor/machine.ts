// The machine: Node, the clock, the processor, memory.
import { statSync } from 'node:fs';
import { memoryBytes, type Settings } from '../../config.ts';
import { packageFolder, packageInfo } from '../../package-info.ts';
import { multipliesBf16 } from '../../runner/backend/index.ts';
import { findingsOf, gib, type Finding } from './finding.ts';

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

/** `modelBytes`: weights in memory, where the model is known. */
export function checkMemory(
  { kvBytes, kv }: Pick<Settings, 'kvBytes' | 'kv'>,
  modelBytes: number,
  limit = memoryBytes(),
): Finding {
  const memory = findingsOf('memory');
  const asked = kvBytes + kv.hostBytes + modelBytes;
  const says =
    `${gib(kvBytes)} KV, ${gib(kv.hostBytes)} in host memory, ${gib(modelBytes)} weights ` +
    `of ${gib(limit)}`;
  const todo = 'lower --kv-bytes or --kv-host-bytes, or give the container more memory';
  if (asked > limit) return memory.fail(says, todo);
  return asked > 0.9 * limit ? memory.warn(says, todo) : memory.ok(says);
}
