import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KvShareError } from '../../src/errors.ts';
import { openGguf } from '../../src/gguf/index.ts';
import { ByteWriter, encodeGguf, float32Tensor } from '../support/gguf-writer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-gguf-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const open = (bytes: Uint8Array) => {
  const path = join(folder, 'file.gguf');
  writeFileSync(path, bytes);
  return openGguf(path);
};

/** `ok`, or the error code; anything that is not ours fails the test. */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  try {
    const file = await open(bytes);
    try {
      for (const name of file.tensors.keys()) await file.readTensor(name);
    } finally {
      await file.close();
    }
    return 'ok';
  } catch (error) {
    if (!(error instanceof KvShareError)) throw error;
    expect(error.message).not.toContain('\n');
    return error.code;
  }
}

const small = encodeGguf(
  {
    'general.architecture': { type: 'string', value: 'llama' },
    'llama.block_count': { type: 'u32', value: 2 },
    'llama.eps': { type: 'f32', value: 0.5 },
    flag: { type: 'bool', value: true },
    words: { type: 'strings', value: ['a', 'bé', ''] },
    numbers: { type: 'i32s', value: [1, -2] },
  },
  {
    first: float32Tensor([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)),
    second: float32Tensor([4], Float32Array.of(-1, -2, -3, -4)),
  },
);

describe('openGguf', () => {
  it('reads metadata and tensors', async () => {
    const file = await open(small);
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.architecture': 'llama',
      'llama.block_count': 2,
      'llama.eps': 0.5,
      flag: true,
      words: ['a', 'bé', ''],
      numbers: [1, -2],
    });
    expect(file.tensors.get('first')).toMatchObject({ shape: [3, 2], type: 'F32', numElements: 6 });
    expect(await file.readTensor('first')).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(await file.readTensor('second')).toEqual(Float32Array.of(-1, -2, -3, -4));
    await expect(file.readTensor('third')).rejects.toMatchObject({ code: 'model_invalid' });
    await file.close();
  });

  const quants = JSON.parse(
    readFileSync(new URL('../fixtures/gguf-quants.json', import.meta.url), 'utf8'),
  ) as { types: Record<string, { elements: number; bytes: string; expected: number[] }> };
  const numbers: Record<string, number> = {
    F16: 1,
    Q4_0: 2,
    Q4_1: 3,
    Q5_0: 6,
    Q5_1: 7,
    Q8_0: 8,
    Q4_K: 12,
    Q5_K: 13,
    Q6_K: 14,
    BF16: 30,
  };

  it.each(Object.entries(quants.types))('dequantises %s as the reference does', async (name, q) => {
    const bytes = Buffer.from(q.bytes, 'base64');
    const file = await open(
      encodeGguf({}, { t: { shape: [q.elements], type: numbers[name]!, bytes } }),
    );
    const values = await file.readTensor('t');
    await file.close();
    expect(values).toHaveLength(q.elements);
    q.expected.forEach((expected, i) => {
      expect(Math.abs(values[i]! - expected)).toBeLessThanOrEqual(1e-6 * Math.abs(expected) + 1e-9);
    });
  });

  it('says that a file is missing or not a file', async () => {
    await expect(openGguf(join(folder, 'none'))).rejects.toMatchObject({
      code: 'model_unavailable',
    });
    await expect(openGguf(folder)).rejects.toMatchObject({ code: 'model_unavailable' });
  });
});

const header = (tensors: number | bigint, pairs: number | bigint, version = 3) =>
  new ByteWriter().raw(Buffer.from('GGUF')).u32(version).u64(tensors).u64(pairs);
const tensorInfo = (
  out: ByteWriter,
  name: string,
  shape: readonly (number | bigint)[],
  type = 0,
  offset: number | bigint = 0,
) => {
  out.text(name).u32(shape.length);
  for (const size of shape) out.u64(size);
  return out.u32(type).u64(offset);
};
const huge = 2n ** 53n;
const top = 2n ** 64n - 1n;

const hostile: [string, Buffer][] = [
  ['an empty file', Buffer.alloc(0)],
  ['another magic', Buffer.from('GGML0000000000000000000000000000')],
  ['an unknown version', header(0, 0, 9).done()],
  ['2^53 tensors', header(huge, 0).done()],
  ['2^64-1 metadata pairs', header(0, top).done()],
  [
    'a key of 2^63 bytes',
    header(0, 1)
      .u64(2n ** 63n)
      .raw(Buffer.alloc(64))
      .done(),
  ],
  [
    'an array of 2^60 numbers',
    header(0, 1)
      .text('k')
      .u32(9)
      .u32(4)
      .u64(2n ** 60n)
      .raw(Buffer.alloc(64))
      .done(),
  ],
  [
    'an array of 2^60 strings',
    header(0, 1)
      .text('k')
      .u32(9)
      .u32(8)
      .u64(2n ** 60n)
      .raw(Buffer.alloc(64))
      .done(),
  ],
  ['an unknown value type', header(0, 1).text('k').u32(99).raw(Buffer.alloc(64)).done()],
  [
    'a boolean of 7',
    header(0, 1).text('k').u32(7).raw(Uint8Array.of(7)).raw(Buffer.alloc(64)).done(),
  ],
  [
    'a key twice',
    header(0, 2).text('k').u32(4).u32(1).text('k').u32(4).u32(1).raw(Buffer.alloc(64)).done(),
  ],
  [
    'nested arrays',
    (() => {
      const out = header(0, 1).text('k').u32(9);
      for (let i = 0; i < 50; i++) out.u32(9).u64(1);
      return out.raw(Buffer.alloc(64)).done();
    })(),
  ],
  ['no dimensions', tensorInfo(header(1, 0), 't', []).raw(Buffer.alloc(64)).done()],
  ['five dimensions', tensorInfo(header(1, 0), 't', [1, 1, 1, 1, 1]).raw(Buffer.alloc(64)).done()],
  ['a dimension of 0', tensorInfo(header(1, 0), 't', [0]).raw(Buffer.alloc(64)).done()],
  [
    'a product beyond 2^53',
    tensorInfo(header(1, 0), 't', [2 ** 30, 2 ** 30])
      .raw(Buffer.alloc(64))
      .done(),
  ],
  [
    'a product that wraps',
    tensorInfo(header(1, 0), 't', [2n ** 32n, 2n ** 32n])
      .raw(Buffer.alloc(64))
      .done(),
  ],
  ['data beyond the file', tensorInfo(header(1, 0), 't', [1000]).raw(Buffer.alloc(64)).done()],
  [
    'an offset beyond the file',
    tensorInfo(header(1, 0), 't', [4], 0, 2 ** 20)
      .raw(Buffer.alloc(64))
      .done(),
  ],
  ['an offset of 2^64-1', tensorInfo(header(1, 0), 't', [4], 0, top).raw(Buffer.alloc(64)).done()],
  ['an unaligned offset', tensorInfo(header(1, 0), 't', [4], 0, 8).raw(Buffer.alloc(96)).done()],
  [
    'overlapping tensors',
    tensorInfo(tensorInfo(header(2, 0), 'a', [16]), 'b', [16], 0, 32)
      .raw(Buffer.alloc(256))
      .done(),
  ],
  [
    'a tensor twice',
    tensorInfo(tensorInfo(header(2, 0), 'a', [4]), 'a', [4], 0, 32)
      .raw(Buffer.alloc(256))
      .done(),
  ],
  ['half a block', tensorInfo(header(1, 0), 't', [33], 8).raw(Buffer.alloc(256)).done()],
  ['an unknown tensor type', tensorInfo(header(1, 0), 't', [4], 77).raw(Buffer.alloc(256)).done()],
  [
    'an alignment of 24',
    tensorInfo(header(1, 1).text('general.alignment').u32(4).u32(24), 't', [4])
      .raw(Buffer.alloc(256))
      .done(),
  ],
  [
    'an alignment of 2^31',
    tensorInfo(
      header(1, 1)
        .text('general.alignment')
        .u32(4)
        .u32(2 ** 31),
      't',
      [4],
    )
      .raw(Buffer.alloc(256))
      .done(),
  ],
];

describe('hostile files', () => {
  it.each(hostile)('refuses %s with one line', async (_, bytes) => {
    const before = process.memoryUsage().arrayBuffers;
    expect(await outcomeOf(bytes)).toBe('model_invalid');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(
      bytes.length + 2 ** 20 + 65_536,
    );
  });

  it('refuses every truncation of a sound file, except in its padding', async () => {
    expect(await outcomeOf(small)).toBe('ok');
    const lastByte = small.length - 16;
    for (let size = 0; size < lastByte; size += 7) {
      expect([size, await outcomeOf(small.subarray(0, size))]).toEqual([size, 'model_invalid']);
    }
  });

  it('survives thousands of mutations', async () => {
    const seen = { ok: 0, model_invalid: 0 } as Record<string, number>;
    const mutation = fc.array(fc.tuple(fc.nat(small.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(mutation, async (changes) => {
        const bytes = Buffer.from(small);
        for (const [at, value] of changes) bytes[at] = value;
        const outcome = await outcomeOf(bytes);
        seen[outcome] = (seen[outcome] ?? 0) + 1;
      }),
      { numRuns: 2000 },
    );
    expect(Object.keys(seen).sort()).toEqual(['model_invalid', 'ok']);
    expect(seen['model_invalid']).toBeGreaterThan(200);
  }, 60_000);
});
