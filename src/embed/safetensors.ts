// TEMPORARY stand-in until the strict reader arrives.
import { readFile } from 'node:fs/promises';
import { halfToNumber } from '../gguf/index.ts';
export async function readSafetensors(
  path: string,
  expected: Record<string, readonly number[]>,
): Promise<Map<string, Float32Array>> {
  const raw = await readFile(path);
  const n = Number(raw.readBigUInt64LE(0));
  const header = JSON.parse(raw.subarray(8, 8 + n).toString()) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  return new Map(
    Object.keys(expected).map((name) => {
      const [a, b] = header[name]!.data_offsets;
      const out = new Float32Array((b - a) / 2);
      for (let i = 0; i < out.length; i++)
        out[i] = halfToNumber(raw.readUInt16LE(8 + n + a + 2 * i));
      return [name, out] as const;
    }),
  );
}
