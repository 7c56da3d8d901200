import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readSafetensors } from '../../src/embed/safetensors.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-safetensors-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const data = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const good = {
  b: { dtype: 'F32', shape: [2], data_offsets: [16, 24] },
  a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
};
const shapes = { a: [2, 2], b: [2] };

let files = 0;
function file(header: unknown, body: Buffer = data, length?: bigint): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(text.length));
  const path = join(folder, `${files++}.safetensors`);
  writeFileSync(path, Buffer.concat([size, text, body]));
  return path;
}

describe('readSafetensors', () => {
  it('reads single and half precision', async () => {
    const tensors = await readSafetensors(
      file({ __metadata__: { format: 'pt' }, ...good }),
      shapes,
    );
    expect([...tensors.get('a')!]).toEqual([1, 2, 3, 4]);
    expect([...tensors.get('b')!]).toEqual([5, 6]);
    const half = file(
      { h: { dtype: 'F16', shape: [3], data_offsets: [0, 6] } },
      Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x3555).buffer),
    );
    const [one, minusTwo, third] = (await readSafetensors(half, { h: [3] })).get('h')!;
    expect([one, minusTwo]).toEqual([1, -2]);
    expect(third).toBeCloseTo(1 / 3, 3);
  });

  it('passes over tensors that are named as unread, whatever is in them', async () => {
    const ids = { dtype: 'I64', shape: [1, 2], data_offsets: [24, 40] };
    const nan = Buffer.from(Float32Array.of(1, 2, 3, 4, NaN, NaN, 0, 0, 0, 0).buffer);
    const path = file({ ...good, ids }, nan);
    const tensors = await readSafetensors(path, { a: shapes.a }, { b: [2], ids: [1, 2] });
    expect([...tensors.keys()]).toEqual(['a']);
    await expect(readSafetensors(path, { a: shapes.a }, { b: [2] })).rejects.toThrow('other');
    await expect(readSafetensors(path, { a: [2, 2], ids: [1, 2] }, { b: [2] })).rejects.toThrow(
      'another type',
    );
    await expect(readSafetensors(path, { a: shapes.a }, { b: [2], ids: [2, 1] })).rejects.toThrow(
      'another shape',
    );
  });

  it.each<[string, () => string]>([
    ['is empty', () => file('', Buffer.alloc(0), 0n)],
    ['claims a header beyond its end', () => file(good, data, 2n ** 40n)],
    ['claims a header beyond all numbers', () => file(good, data, 2n ** 64n - 1n)],
    ['is cut short', () => file(good, data.subarray(0, 20))],
    ['has more data', () => file(good, Buffer.concat([data, data]))],
    ['lacks a tensor', () => file({ a: good.a }, data.subarray(0, 16))],
    ['has another tensor', () => file({ ...good, c: good.b })],
    ['has another shape', () => file({ ...good, a: { ...good.a, shape: [4] } })],
    ['has another type', () => file({ ...good, a: { ...good.a, dtype: 'I32' } })],
    ['overlaps', () => file({ ...good, b: { ...good.b, data_offsets: [8, 16] } })],
    ['has reversed offsets', () => file({ ...good, b: { ...good.b, data_offsets: [24, 16] } })],
    [
      'has offsets that are no integers',
      () => file({ ...good, b: { ...good.b, data_offsets: [16.5, 24.5] } }),
    ],
    [
      'says a name twice',
      () => file(`{"a":${JSON.stringify(good.a)},${JSON.stringify(good).slice(1)}`),
    ],
    ['is nested', () => file({ ...good, x: [[[[[[1]]]]]] })],
    ['is no JSON', () => file('{"a":')],
    ['holds NaN', () => file(good, Buffer.from(Float32Array.of(1, NaN, 3, 4, 5, 6).buffer))],
  ])('refuses a file that %s', async (_, make) => {
    await expect(readSafetensors(make(), shapes)).rejects.toThrow();
  });
});
