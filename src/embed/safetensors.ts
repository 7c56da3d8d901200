// Reads a safetensors file whose tensors are known beforehand. Nothing in the file is believed: names, shapes and
// types must be the expected ones, and the data must be theirs from the first byte to the last.
import { open, type FileHandle } from 'node:fs/promises';
import { halfToNumber } from '../gguf/index.ts';

/** A header of this size describes ten thousand tensors. */
const MAX_HEADER_BYTES = 1 << 20;
const MAX_DEPTH = 4;

/** Bytes an element. I64 is only known so that it can be passed over. */
const widths = { F32: 4, F16: 2, I64: 8 } as const;
type Dtype = keyof typeof widths;

interface Entry {
  readonly dtype: Dtype;
  readonly start: number;
  readonly end: number;
}

export type Shapes = Readonly<Record<string, readonly number[]>>;

function fail(why: string): never {
  throw new Error(`not the safetensors file that was expected: ${why}`);
}

async function readExactly(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, start + done);
    if (bytesRead === 0) fail('it ends too early');
    done += bytesRead;
  }
  return buffer;
}

function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (const c of text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) {
    if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth);
    else if (c === '}' || c === ']') depth--;
  }
  return deepest;
}

/** JSON keeps the last of two equal keys silently: each expected name must stand there once. */
function parseHeader(bytes: Buffer, shapes: Shapes): Record<string, unknown> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  if (!text.startsWith('{') || depthOf(text) > MAX_DEPTH) fail('its header is no flat object');
  for (const name of Object.keys(shapes)) {
    if (text.split(`${JSON.stringify(name)}:`).length !== 2) fail(`"${name}" is not there once`);
  }
  return JSON.parse(text) as Record<string, unknown>;
}

function readEntry(name: string, value: unknown, shape: readonly number[]): Entry {
  const entry = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  const { dtype, data_offsets: offsets } = entry;
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'I64') fail(`"${name}" is of another type`);
  if (JSON.stringify(entry.shape) !== JSON.stringify(shape)) fail(`"${name}" has another shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2) fail(`"${name}" has no place`);
  const [start, end] = offsets as unknown[];
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) fail(`"${name}" has no place`);
  const size = shape.reduce((product, n) => product * n, 1) * widths[dtype];
  if (Number(end) - Number(start) !== size) fail(`"${name}" has another size`);
  return { dtype, start: Number(start), end: Number(end) };
}

function readEntries(header: Record<string, unknown>, expected: Shapes): Map<string, Entry> {
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const shapes = Object.entries(expected);
  if (names.length !== shapes.length) fail('it has other tensors');
  return new Map(shapes.map(([name, shape]) => [name, readEntry(name, header[name], shape)]));
}

/** Each byte belongs to one tensor, in whatever order they stand. */
function checkLayout(entries: readonly Entry[], dataBytes: number): void {
  let at = 0;
  for (const { start, end } of [...entries].sort((a, b) => a.start - b.start)) {
    if (start !== at) fail('its tensors overlap or leave a hole');
    at = end;
  }
  if (at !== dataBytes) fail('it has more data than tensors');
}

function toFloats(name: string, bytes: Buffer, dtype: Dtype): Float32Array {
  if (dtype === 'I64') fail(`"${name}" is of another type`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = new Float32Array(bytes.length / widths[dtype]);
  for (let i = 0; i < values.length; i++) {
    values[i] =
      dtype === 'F32' ? view.getFloat32(4 * i, true) : halfToNumber(view.getUint16(2 * i, true));
  }
  if (!values.every(Number.isFinite)) fail(`"${name}" is not finite`);
  return values;
}

/**
 * The tensors of `shapes` as float32, row-major. `unread` are others that must be there too: their place is checked,
 * their data stays on disk. Throws Error with one line for any other file.
 */
export async function readSafetensors(
  path: string,
  shapes: Shapes,
  unread: Shapes = {},
): Promise<ReadonlyMap<string, Float32Array>> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size < 8) fail('it ends too early');
    const headerBytes = (await readExactly(file, 0, 8)).readBigUInt64LE(0);
    if (headerBytes > BigInt(Math.min(MAX_HEADER_BYTES, size - 8))) fail('its header is too long');
    const dataStart = 8 + Number(headerBytes);
    const expected = { ...shapes, ...unread };
    const header = parseHeader(await readExactly(file, 8, Number(headerBytes)), expected);
    const entries = readEntries(header, expected);
    checkLayout([...entries.values()], size - dataStart);
    const tensors = new Map<string, Float32Array>();
    for (const name of Object.keys(shapes)) {
      const { dtype, start, end } = entries.get(name)!;
      const bytes = await readExactly(file, dataStart + start, end - start);
      tensors.set(name, toFloats(name, bytes, dtype));
    }
    return tensors;
  } finally {
    await file.close();
  }
}
