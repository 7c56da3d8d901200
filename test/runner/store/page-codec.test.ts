import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  kvFormats,
  pack,
  packedBytes,
  unpack,
  type KvFormat,
} from '../../../src/runner/store/page-codec.ts';

const HEAD_DIM = 8;

const rows = (number: fc.Arbitrary<number>): fc.Arbitrary<Float32Array> =>
  fc
    .array(fc.array(number, { minLength: HEAD_DIM, maxLength: HEAD_DIM }), { maxLength: 12 })
    .map((lists) => Float32Array.from(lists.flat()));

const anyFinite = rows(fc.float({ noNaN: true, noDefaultInfinity: true }));
/** Not so large that rounding makes them infinite. */
const safe = rows(fc.float({ min: -(2 ** 127), max: 2 ** 127, noNaN: true }));
const usual = rows(fc.float({ min: -64, max: 64, noNaN: true }));

function roundTrip(values: Float32Array, format: KvFormat): Float32Array {
  const bytes = pack(values, format, HEAD_DIM)!;
  expect(bytes).toHaveLength(packedBytes(format, values.length, HEAD_DIM));
  const out = new Float32Array(values.length).fill(NaN);
  unpack(bytes, format, HEAD_DIM, out);
  return out;
}

/** The bfloat16 nearest to a number, by trying its neighbours; of two the one that ends in 0. */
function nearestHalf(value: number): number {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = value;
  const below = bits[0]! & 0xffff0000;
  const of = (pattern: number): number => {
    bits[0] = pattern;
    return float[0]!;
  };
  const [low, high] = [of(below), of(below + 0x10000)];
  const gaps = [Math.abs(value - low), Math.abs(value - high)];
  if (gaps[0] === gaps[1]) return (below >>> 16) % 2 === 0 ? low : high;
  return gaps[0]! < gaps[1]! ? low : high;
}

describe('fp32', () => {
  it('gives back the same bits, also of -0 and the smallest numbers', () => {
    fc.assert(
      fc.property(anyFinite, (values) => {
        expect(new Uint8Array(roundTrip(values, 'fp32').buffer)).toEqual(
          new Uint8Array(values.buffer),
        );
      }),
    );
  });

  it('holds a copy: what happens to the numbers later does not show', () => {
    const values = new Float32Array(HEAD_DIM).fill(1);
    const bytes = pack(values, 'fp32', HEAD_DIM)!;
    values.fill(2);
    const out = new Float32Array(HEAD_DIM);
    unpack(bytes, 'fp32', HEAD_DIM, out);
    expect([...out]).toEqual([...new Float32Array(HEAD_DIM).fill(1)]);
  });
});

describe('bf16', () => {
  it('gives back the nearest number, of two the even one', () => {
    fc.assert(
      fc.property(usual, (values) => {
        expect([...roundTrip(values, 'bf16')]).toEqual([...values].map(nearestHalf));
      }),
    );
  });

  it('rounds ties to even in both directions', () => {
    const step = 2 ** -7;
    const ties = [1 + step / 2, 1 + step * 1.5, -1 - step / 2, -1 - step * 1.5, 0, -0, 1, 2];
    expect([...roundTrip(Float32Array.from(ties), 'bf16')]).toEqual([
      1,
      1 + 2 * step,
      -1,
      -1 - 2 * step,
      0,
      -0,
      1,
      2,
    ]);
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(usual, (values) => {
        const once = roundTrip(values, 'bf16');
        expect(roundTrip(once, 'bf16')).toEqual(once);
      }),
    );
  });
});

describe('int8', () => {
  it('is off by half a step of its own row at most', () => {
    fc.assert(
      fc.property(safe, (values) => {
        const back = roundTrip(values, 'int8');
        for (let start = 0; start < values.length; start += HEAD_DIM) {
          const row = values.subarray(start, start + HEAD_DIM);
          const largest = Math.max(...row.map(Math.abs));
          const bound = (largest / 254) * (1 + 1e-5) + 127 * 2 ** -126;
          row.forEach((value, i) => {
            expect(Math.abs(value - back[start + i]!)).toBeLessThanOrEqual(bound);
          });
        }
      }),
    );
  });

  it('keeps the largest of a row and its sign', () => {
    const values = Float32Array.from([-3, 1, 0.5, 0, -0.25, 2, 3, -1]);
    const back = roundTrip(values, 'int8');
    expect(back[0]).toBeCloseTo(-3, 5);
    expect(back[6]).toBeCloseTo(3, 5);
  });

  it('has zeros for rows without anything, or nothing worth a number', () => {
    const back = roundTrip(new Float32Array(2 * HEAD_DIM).fill(1e-44, HEAD_DIM), 'int8');
    expect([...back]).toEqual(Array.from({ length: 2 * HEAD_DIM }, () => 0));
  });
});

it('refuses what would become infinite by rounding', () => {
  const values = new Float32Array(HEAD_DIM).fill(3.4028234663852886e38);
  expect(pack(values, 'bf16', HEAD_DIM)).toBeNull();
  expect(pack(values, 'int8', HEAD_DIM)).toBeNull();
  expect(pack(values, 'fp32', HEAD_DIM)).not.toBeNull();
});

describe.each(kvFormats)('%s', (format) => {
  it('refuses NaN and infinity wherever they stand', () => {
    const place = fc.tuple(usual, fc.nat(), fc.constantFrom(NaN, Infinity, -Infinity));
    fc.assert(
      fc.property(place, ([values, at, bad]) => {
        fc.pre(values.length > 0);
        values[at % values.length] = bad;
        expect(pack(values, format, HEAD_DIM)).toBeNull();
      }),
    );
  });

  it('reads bytes at any offset, and refuses those of another length', () => {
    const values = Float32Array.from({ length: 2 * HEAD_DIM }, (_, i) => i - 7.5);
    const bytes = pack(values, format, HEAD_DIM)!;
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const out = new Float32Array(values.length);
    unpack(shifted.subarray(1), format, HEAD_DIM, out);
    expect(out).toEqual(roundTrip(values, format));
    for (const wrong of [shifted, bytes.subarray(1)]) {
      expect(() => unpack(wrong, format, HEAD_DIM, out)).toThrow(/bytes are not/);
    }
  });
});
