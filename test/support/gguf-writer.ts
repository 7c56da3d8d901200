// Writes GGUF files for tests: small, and hostile where a test wants them to be.
export type MetadataValue =
  | { type: 'u32'; value: number }
  | { type: 'f32'; value: number }
  | { type: 'u64'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'i32s'; value: readonly number[] };

export interface WrittenTensor {
  readonly shape: readonly number[];
  readonly type: number;
  readonly bytes: Uint8Array;
}

const ALIGNMENT = 32;

export class ByteWriter {
  readonly #parts: Buffer[] = [];

  get size(): number {
    return this.#parts.reduce((sum, part) => sum + part.length, 0);
  }

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    return this.raw(part);
  }

  u64(value: number | bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    return this.raw(part);
  }

  f32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    return this.raw(part);
  }

  text(value: string): this {
    const part = Buffer.from(value, 'utf8');
    return this.u64(part.length).raw(part);
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  pad(alignment: number): this {
    return this.raw(Buffer.alloc((alignment - (this.size % alignment)) % alignment));
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function writeValue(out: ByteWriter, entry: MetadataValue): void {
  if (entry.type === 'u32') out.u32(4).u32(entry.value);
  else if (entry.type === 'f32') out.u32(6).f32(entry.value);
  else if (entry.type === 'u64') out.u32(10).u64(entry.value);
  else if (entry.type === 'bool') out.u32(7).raw(Uint8Array.of(entry.value ? 1 : 0));
  else if (entry.type === 'string') out.u32(8).text(entry.value);
  else {
    out
      .u32(9)
      .u32(entry.type === 'strings' ? 8 : 5)
      .u64(entry.value.length);
    for (const item of entry.value) {
      if (typeof item === 'string') out.text(item);
      else out.raw(new Uint8Array(Int32Array.of(item).buffer));
    }
  }
}

export function encodeGguf(
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: Readonly<Record<string, WrittenTensor>>,
): Buffer {
  const out = new ByteWriter().raw(Buffer.from('GGUF')).u32(3);
  out.u64(Object.keys(tensors).length).u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) writeValue(out.text(key), value);
  let offset = 0;
  for (const [name, { shape, type, bytes }] of Object.entries(tensors)) {
    out.text(name).u32(shape.length);
    for (const size of shape) out.u64(size);
    out.u32(type).u64(offset);
    offset += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
  }
  out.pad(ALIGNMENT);
  for (const { bytes } of Object.values(tensors)) out.raw(bytes).pad(ALIGNMENT);
  return out.done();
}

export const float32Tensor = (shape: readonly number[], values: Float32Array): WrittenTensor => ({
  shape,
  type: 0,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});
