// A GGUF file (version 2 or 3), read by people who did not write it: every count, length, offset and size is
// compared with the file's own size before anything is allocated. Our own reader and not @huggingface/gguf,
// because that one neither dequantises nor bounds what a hostile header makes it allocate.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { KvShareError } from '../errors.ts';
import { ByteCursor, invalidGguf } from './byte-cursor.ts';
import { readMetadata, readName, type GgufValue } from './metadata.ts';
import { tensorTypes } from './tensor-types.ts';

export type { GgufValue } from './metadata.ts';

export interface GgufTensorInfo {
  readonly name: string;
  /** GGUF order: fastest-varying first ([columns, rows]). */
  readonly shape: readonly number[];
  /** Such as F32, Q4_1; unknown types are named by their number and cannot be read. */
  readonly type: string;
  readonly numElements: number;
}

export interface GgufFile {
  readonly path: string;
  /** Keys such as `llama.block_count`, `tokenizer.ggml.tokens`. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensorInfo>;
  /** The tensor as fp32, row-major [rows, columns]. Throws KvShareError `model_invalid`. */
  readTensor(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

interface PlacedTensor extends GgufTensorInfo {
  readonly typeNumber: number;
  /** Bytes from the start of the file, once the data section's start is known. */
  readonly offset: number;
  readonly size: number;
}

const MAGIC = 0x46554747;
const MAX_DIMENSIONS = 4;
const MAX_ALIGNMENT = 2 ** 16;
const DEFAULT_ALIGNMENT = 32;
/** Smallest possible metadata pair and tensor info, in bytes. */
const MIN_PAIR = 13;
const MIN_INFO = 24;

async function readInfo(
  cursor: ByteCursor,
  taken: ReadonlyMap<string, unknown>,
): Promise<PlacedTensor> {
  const name = await readName(cursor, taken);
  await cursor.need(4);
  const dimensions = cursor.u32();
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    throw invalidGguf(`a tensor has ${dimensions} dimensions`);
  }
  await cursor.need(dimensions * 8 + 12);
  let elements = 1n;
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i++) {
    const size = cursor.u64();
    elements *= size;
    if (size < 1n || elements > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw invalidGguf('a tensor has an impossible shape');
    }
    shape.push(Number(size));
  }
  const typeNumber = cursor.u32();
  const offset = cursor.u64();
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw invalidGguf('a tensor lies outside the file');
  const type = tensorTypes[typeNumber];
  const numElements = Number(elements);
  if (type && shape[0]! % type.blockWeights !== 0) {
    throw invalidGguf('a tensor row does not consist of whole blocks');
  }
  return {
    name,
    shape,
    type: type?.name ?? `type ${typeNumber}`,
    typeNumber,
    numElements,
    offset: Number(offset),
    size: type ? (numElements / type.blockWeights) * type.blockBytes : 0,
  };
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  const good =
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= 8 &&
    value <= MAX_ALIGNMENT &&
    (value & (value - 1)) === 0;
  if (!good) throw invalidGguf('the alignment is not a power of two from 8 to 65536');
  return value;
}

/** Offsets become absolute; tensors must be aligned, inside the file and apart from each other. */
function place(
  tensors: ReadonlyMap<string, PlacedTensor>,
  headerEnd: number,
  alignment: number,
  fileSize: number,
): Map<string, PlacedTensor> {
  const dataStart = Math.ceil(headerEnd / alignment) * alignment;
  const sorted = [...tensors.values()].sort((a, b) => a.offset - b.offset);
  const placed = new Map<string, PlacedTensor>();
  let end = 0;
  for (const tensor of sorted) {
    if (tensor.offset % alignment !== 0) throw invalidGguf('a tensor is not aligned');
    if (tensor.offset < end) throw invalidGguf('two tensors overlap');
    end = tensor.offset + tensor.size;
    if (dataStart + end > fileSize) throw invalidGguf('a tensor lies outside the file');
    placed.set(tensor.name, { ...tensor, offset: dataStart + tensor.offset });
  }
  return placed;
}

async function readHeader(file: FileHandle, fileSize: number) {
  const cursor = new ByteCursor(file, fileSize);
  await cursor.need(24);
  if (cursor.u32() !== MAGIC) throw invalidGguf('it does not begin with GGUF');
  const version = cursor.u32();
  if (version !== 2 && version !== 3) throw invalidGguf(`version ${version} is not known`);
  const numTensors = cursor.count('the tensor list', MIN_INFO);
  const numPairs = cursor.count('the metadata', MIN_PAIR);
  const metadata = await readMetadata(cursor, numPairs);
  const tensors = new Map<string, PlacedTensor>();
  for (let i = 0; i < numTensors; i++) {
    const info = await readInfo(cursor, tensors);
    tensors.set(info.name, info);
  }
  const alignment = readAlignment(metadata);
  return { metadata, tensors: place(tensors, cursor.position, alignment, fileSize) };
}

async function readBytes(file: FileHandle, tensor: PlacedTensor): Promise<Uint8Array> {
  const bytes = new Uint8Array(tensor.size);
  let filled = 0;
  while (filled < bytes.length) {
    const at = tensor.offset + filled;
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, at);
    if (bytesRead === 0) throw invalidGguf('it became shorter while it was read');
    filled += bytesRead;
  }
  return bytes;
}

async function openRegular(path: string): Promise<[FileHandle, number]> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY);
  } catch {
    throw new KvShareError('model_unavailable', `The model file ${path} cannot be opened.`);
  }
  const stat = await file.stat();
  if (stat.isFile()) return [file, stat.size];
  await file.close();
  throw new KvShareError('model_unavailable', `${path} is not a file.`);
}

/** Throws KvShareError `model_unavailable` or `model_invalid`, one line each. */
export async function openGguf(path: string): Promise<GgufFile> {
  const [file, size] = await openRegular(path);
  try {
    const { metadata, tensors } = await readHeader(file, size);
    return {
      path,
      metadata,
      tensors,
      readTensor: async (name) => {
        const tensor = tensors.get(name);
        if (!tensor) throw invalidGguf(`it has no tensor ${name}`);
        const type = tensorTypes[tensor.typeNumber];
        if (!type) throw invalidGguf(`tensor ${name} has the unsupported ${tensor.type}`);
        return type.decode(await readBytes(file, tensor), tensor.numElements);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
