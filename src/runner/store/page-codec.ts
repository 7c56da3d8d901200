// K or V of some layers ⇄ bytes, for the tiers below live tensors. Pure and fast: loops over typed arrays that
// the compiler keeps monomorphic.
//
//   fp32  the numbers themselves
//   bf16  the upper half of each, rounded to nearest, ties to even: 2 bytes
//   int8  steps of a scale of its own for every (layer, head, token): 1 byte, and 4 for each headDim of them
//
// Numbers have this machine's byte order; what crosses a restart says so in its header (page-file.ts).
// A number that is not finite, or would not be after rounding, is refused: such KV is never kept.

export const kvFormats = ['fp32', 'bf16', 'int8'] as const;
export type KvFormat = (typeof kvFormats)[number];

/** A scale this small has lost its precision; the numbers are 0 for attention. */
const SMALLEST_SCALE = 2 ** -126;
const EXPONENT = 0x7f800000;
/** Added and taken off again, it leaves a whole number: doubles this large have no fraction. No branch on the sign. */
const ROUND = 1.5 * 2 ** 52;

/** Bytes of `count` numbers in rows of `headDim`. */
export function packedBytes(format: KvFormat, count: number, headDim: number): number {
  switch (format) {
    case 'fp32':
      return count * 4;
    case 'bf16':
      return count * 2;
    case 'int8':
      return (count / headDim) * 4 + count;
  }
}

/** values: [layers, kvHeads, tokens, headDim]. Null when a number is not finite. */
export function pack(values: Float32Array, format: KvFormat, headDim: number): Uint8Array | null {
  switch (format) {
    case 'fp32':
      return allFinite(values) ? packFloats(values) : null;
    case 'bf16':
      return packHalves(values);
    case 'int8':
      return packSteps(values, headDim);
  }
}

/** The inverse; `out` is as long as what was packed. Throws when the bytes are of another length. */
export function unpack(
  bytes: Uint8Array,
  format: KvFormat,
  headDim: number,
  out: Float32Array,
): void {
  if (bytes.length !== packedBytes(format, out.length, headDim)) {
    throw new Error(`${bytes.length} bytes are not ${out.length} numbers in ${format}`);
  }
  switch (format) {
    case 'fp32':
      new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
      break;
    case 'bf16':
      unpackHalves(aligned(bytes), out);
      break;
    case 'int8':
      unpackSteps(aligned(bytes), headDim, out);
      break;
  }
}

/** Whether what comes back may differ from what went in. */
export const isLossy = (format: KvFormat): boolean => format !== 'fp32';

const aligned = (bytes: Uint8Array): Uint8Array =>
  bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);

const bitsOf = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

function allFinite(values: Float32Array): boolean {
  const bits = bitsOf(values);
  let i = bits.length;
  while (i-- > 0) if ((bits[i]! & EXPONENT) === EXPONENT) return false;
  return true;
}

const packFloats = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();

function packHalves(values: Float32Array): Uint8Array | null {
  const bits = bitsOf(values);
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const whole = bits[i]!;
    const half = (whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16;
    // Also when the largest numbers were rounded up to infinity.
    if ((half & 0x7f80) === 0x7f80 || (whole & EXPONENT) === EXPONENT) return null;
    halves[i] = half;
  }
  return new Uint8Array(halves.buffer);
}

function unpackHalves(bytes: Uint8Array, out: Float32Array): void {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, out.length);
  const bits = bitsOf(out);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i]! << 16;
}

function packSteps(values: Float32Array, headDim: number): Uint8Array | null {
  const rows = values.length / headDim;
  const bytes = new Uint8Array(packedBytes('int8', values.length, headDim));
  const scales = new Float32Array(bytes.buffer, 0, rows);
  const steps = new Int8Array(bytes.buffer, rows * 4);
  const bits = bitsOf(values);
  const asBits = new Uint32Array(1);
  const asFloat = new Float32Array(asBits.buffer);
  for (let row = 0; row < rows; row++) {
    const start = row * headDim;
    const end = start + headDim;
    // Without its sign a float's bits, as a whole number, are in the order of its size.
    let largestBits = 0;
    for (let i = start; i < end; i++) {
      const size = bits[i]! & 0x7fffffff;
      if (size > largestBits) largestBits = size;
    }
    if (largestBits >= EXPONENT) return null;
    asBits[0] = largestBits;
    const largest = asFloat[0]!;
    const scale = Math.fround(largest / 127);
    if (Math.fround(127 * scale) === Infinity) return null;
    if (scale < SMALLEST_SCALE) continue;
    scales[row] = scale;
    const inverse = 1 / scale;
    for (let i = start; i < end; i++) steps[i] = values[i]! * inverse + ROUND - ROUND;
  }
  return bytes;
}

function unpackSteps(bytes: Uint8Array, headDim: number, out: Float32Array): void {
  const rows = out.length / headDim;
  const scales = new Float32Array(bytes.buffer, bytes.byteOffset, rows);
  const steps = new Int8Array(bytes.buffer, bytes.byteOffset + rows * 4, out.length);
  for (let row = 0; row < rows; row++) {
    const scale = scales[row]!;
    const end = (row + 1) * headDim;
    for (let i = row * headDim; i < end; i++) out[i] = steps[i]! * scale;
  }
}
