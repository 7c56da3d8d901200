// Blocks of 32 weights with one or two half-precision scales: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 (ggml's layouts).
// Each function fills out[at, at + 32) from the block at byte `p`.
import { halfToNumber } from './half-float.ts';

export type BlockReader = (bytes: Uint8Array, p: number, out: Float32Array, at: number) => void;

const half = (bytes: Uint8Array, p: number): number =>
  halfToNumber(bytes[p]! | (bytes[p + 1]! << 8));

export const readQ80: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p);
  for (let i = 0; i < 32; i++) out[at + i] = d * ((bytes[p + 2 + i]! << 24) >> 24);
};

export const readQ40: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p);
  for (let i = 0; i < 16; i++) {
    const q = bytes[p + 2 + i]!;
    out[at + i] = d * ((q & 15) - 8);
    out[at + 16 + i] = d * ((q >> 4) - 8);
  }
};

export const readQ41: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p);
  const m = half(bytes, p + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[p + 4 + i]!;
    out[at + i] = d * (q & 15) + m;
    out[at + 16 + i] = d * (q >> 4) + m;
  }
};

/** The fifth bits of weights i and i + 16 of a block. */
function fifthBits(bytes: Uint8Array, p: number, i: number): [number, number] {
  const low = (bytes[p + (i >> 3)]! >> (i & 7)) & 1;
  const high = (bytes[p + 2 + (i >> 3)]! >> (i & 7)) & 1;
  return [low << 4, high << 4];
}

export const readQ50: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p);
  for (let i = 0; i < 16; i++) {
    const q = bytes[p + 6 + i]!;
    const [low, high] = fifthBits(bytes, p + 2, i);
    out[at + i] = d * (((q & 15) | low) - 16);
    out[at + 16 + i] = d * (((q >> 4) | high) - 16);
  }
};

export const readQ51: BlockReader = (bytes, p, out, at) => {
  const d = half(bytes, p);
  const m = half(bytes, p + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[p + 8 + i]!;
    const [low, high] = fifthBits(bytes, p + 4, i);
    out[at + i] = d * ((q & 15) | low) + m;
    out[at + 16 + i] = d * ((q >> 4) | high) + m;
  }
};
