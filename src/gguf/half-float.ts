// 16-bit floats → numbers, by table: 65,536 entries of each are cheaper than the arithmetic.

function ieeeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const table = Float32Array.from({ length: 65_536 }, (_, bits) => ieeeHalf(bits));

/** IEEE 754 half precision, by its bits. */
export const halfToNumber = (bits: number): number => table[bits]!;

/** bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
}
