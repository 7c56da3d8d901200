// What the processor can multiply. Elsewhere than on Linux nobody says.
import { readFileSync } from 'node:fs';

const BF16 = ['avx512_bf16', 'amx_bf16', 'bf16'];

/** Whether bfloat16 products are done in hardware; null = unknown. Without it they are emulated. */
export function multipliesBf16(cpuinfoPath = '/proc/cpuinfo'): boolean | null {
  let text: string;
  try {
    text = readFileSync(cpuinfoPath, 'utf8');
  } catch {
    return null;
  }
  const features = /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/);
  return features ? BF16.some((name) => features.includes(name)) : null;
}
