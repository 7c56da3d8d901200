// GGUF metadata: typed key-value pairs, arrays nested at most once. Every count is bounded by the bytes that
// are left, so that nothing larger than the file is ever allocated.
import { invalidGguf, type ByteCursor } from './byte-cursor.ts';

export type GgufValue = number | bigint | boolean | string | GgufValue[];

const STRING = 8;
const ARRAY = 9;
const MAX_NESTING = 2;
const MAX_KEY_BYTES = 65_535;

interface Scalar {
  readonly size: number;
  readonly read: (cursor: ByteCursor) => GgufValue;
}

/** By GGUF value type. */
const scalars: Readonly<Record<number, Scalar>> = {
  0: { size: 1, read: (c) => c.u8() },
  1: { size: 1, read: (c) => c.i8() },
  2: { size: 2, read: (c) => c.u16() },
  3: { size: 2, read: (c) => c.i16() },
  4: { size: 4, read: (c) => c.u32() },
  5: { size: 4, read: (c) => c.i32() },
  6: { size: 4, read: (c) => c.f32() },
  7: {
    size: 1,
    read: (c) => {
      const value = c.u8();
      if (value > 1) throw invalidGguf('a boolean is neither 0 nor 1');
      return value === 1;
    },
  },
  10: { size: 8, read: (c) => plain(c.u64()) },
  11: { size: 8, read: (c) => plain(c.i64()) },
  12: { size: 8, read: (c) => c.f64() },
};

/** As a number where a number can say it. */
const plain = (value: bigint): number | bigint => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

async function readText(cursor: ByteCursor): Promise<string> {
  if (!cursor.has(8)) await cursor.need(8);
  const size = cursor.count('a text', 1);
  if (!cursor.has(size)) await cursor.need(size);
  return cursor.text(size);
}

async function readArray(cursor: ByteCursor, nesting: number): Promise<GgufValue[]> {
  if (nesting > MAX_NESTING) throw invalidGguf('arrays are nested too deep');
  await cursor.need(12);
  const type = cursor.u32();
  const scalar = scalars[type];
  const unit = scalar?.size ?? (type === STRING ? 8 : 12);
  const length = cursor.count('an array', unit);
  const values: GgufValue[] = [];
  for (let i = 0; i < length; i++) {
    if (scalar) {
      if (!cursor.has(scalar.size)) await cursor.need(scalar.size);
      values.push(scalar.read(cursor));
    } else if (type === STRING) values.push(await readText(cursor));
    else values.push(await readValue(cursor, type, nesting));
  }
  return values;
}

async function readValue(cursor: ByteCursor, type: number, nesting: number): Promise<GgufValue> {
  const scalar = scalars[type];
  if (scalar) {
    await cursor.need(scalar.size);
    return scalar.read(cursor);
  }
  if (type === STRING) return readText(cursor);
  if (type === ARRAY) return readArray(cursor, nesting + 1);
  throw invalidGguf(`a value has the unknown type ${type}`);
}

/** A name: short, and used once. */
export async function readName(cursor: ByteCursor, taken: ReadonlyMap<string, unknown>) {
  const name = await readText(cursor);
  if (name.length === 0 || name.length > MAX_KEY_BYTES)
    throw invalidGguf('a name has no sane length');
  if (taken.has(name)) throw invalidGguf('a name stands twice');
  return name;
}

export async function readMetadata(
  cursor: ByteCursor,
  count: number,
): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = await readName(cursor, metadata);
    await cursor.need(4);
    metadata.set(key, await readValue(cursor, cursor.u32(), 0));
  }
  return metadata;
}
