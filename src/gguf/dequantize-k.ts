// Super-blocks of 256 weights with quantised scales: Q4_K, Q5_K, Q6_K (ggml's layouts).
import type { BlockReader } from './dequantize-legacy.ts';
import { halfToNumber } from './half-float.ts';

const half = (bytes: Uint8Array, p: number): number =>
  halfToNumber(bytes[p]! | (bytes[p + 1]! << 8));

/** Scale and minimum of sub-block `j` (0..7), six bits each, packed into the 12 bytes at `p`. */
function scaleAndMin(bytes: Uint8Array, p: number, j: number): [number, number] {
  if (j < 4) return [bytes[p + j]! & 63, bytes[p + j + 4]! & 63];
  return [
    (bytes[p + j + 4]! & 15) | ((bytes[p + j - 4]! >> 6) << 4),
    (bytes[p + j + 4]! >> 4) | ((bytes[p + j]! >> 6) << 4),
  ];
}

/** d, dmin, 12 bytes of scales, [32 bytes of fifth bits,] 128 bytes of nibbles. */
function readWithMinimum(fifth: boolean): BlockReader {
  const nibbles = fifth ? 48 : 16;
  return (bytes, p, out, at) => {
    const d = half(bytes, p);
    const dmin = half(bytes, p + 2);
    for (let j = 0; j < 8; j++) {
      const [scale, minimum] = scaleAndMin(bytes, p + 4, j);
      const from = p + nibbles + (j >> 1) * 32;
      const shift = (j & 1) * 4;
      for (let i = 0; i < 32; i++) {
        let q = (bytes[from + i]! >> shift) & 15;
        if (fifth) q |= ((bytes[p + 16 + i]! >> j) & 1) << 4;
        out[at + j * 32 + i] = d * scale * q - dmin * minimum;
      }
    }
  };
}

export const readQ4K = readWithMinimum(false);
export const readQ5K = readWithMinimum(true);

/** 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, d. */
export const readQ6K: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p + 208);
  for (let n = 0; n < 2; n++) {
    const [ql, qh, scales, to] = [p + n * 64, p + 128 + n * 32, p + 192 + n * 8, at + n * 128];
    for (let i = 0; i < 32; i++) {
      const high = bytes[qh + i]!;
      const low = [bytes[ql + i]!, bytes[ql + i + 32]!];
      for (let k = 0; k < 4; k++) {
        const nibble = (low[k & 1]! >> (k >> 1 ? 4 : 0)) & 15;
        const q = (nibble | (((high >> (2 * k)) & 3) << 4)) - 32;
        const scale = (bytes[scales + 2 * k + (i >> 4)]! << 24) >> 24;
        out[to + 32 * k + i] = d * scale * q;
      }
    }
  }
};
