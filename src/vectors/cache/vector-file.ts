// Vectors by key in a file that is either whole or not believed: magic and shape, records, SHA-256 of everything
// before it. Its size must be what its header says before anything of that size is allocated.
//
//   "KVSHVEC" 0 | version | dimension | records | bytes of the fingerprint | fingerprint | records | SHA-256
//   record: key (32 bytes) | dimension x float32
//
// Numbers have this machine's byte order: on another one the version is unknown.
import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

export interface VectorRecord {
  /** 64 hexadecimal digits. */
  readonly key: string;
  /** [dimension] */
  readonly vector: Float32Array;
}

export interface VectorShape {
  /** What the vectors depend on: model, precision, text preparation. */
  readonly fingerprint: string;
  readonly dimension: number;
}

const MAGIC = Buffer.from('KVSHVEC\0', 'latin1');
/** 2: keys begin with their scope. */
const VERSION = 2;
const KEY_BYTES = 32;
const HASH_BYTES = 32;
const COUNT_AT = MAGIC.length + 8;
const PIECE_BYTES = 2 ** 20;

function headerOf({ fingerprint, dimension }: VectorShape, count: number): Buffer {
  const name = Buffer.from(fingerprint);
  const numbers = Uint32Array.of(VERSION, dimension, count, name.length);
  return Buffer.concat([MAGIC, Buffer.from(numbers.buffer), name]);
}

const recordBytes = (dimension: number): number => KEY_BYTES + 4 * dimension;

/**
 * The records, oldest first; null when there is no file. Throws when it is not a file of this shape from end to end.
 * Records beyond the newest `maxRecords` are checked and left out.
 */
export function readVectorFile(
  path: string,
  shape: VectorShape,
  maxRecords: number,
): VectorRecord[] | null {
  const file = openIfThere(path);
  if (file === null) return null;
  try {
    return readRecords(file, shape, maxRecords);
  } finally {
    closeSync(file);
  }
}

function openIfThere(path: string): number | null {
  try {
    // Not blocking: it may be a pipe that nobody writes to.
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function readRecords(file: number, shape: VectorShape, maxRecords: number): VectorRecord[] {
  const status = fstatSync(file);
  if (!status.isFile()) throw new Error('it is not a regular file');
  const hash = createHash('sha256');
  const header = readExactly(file, headerOf(shape, 0).length);
  const count =
    header.length < COUNT_AT + 4
      ? 0
      : new Uint32Array(Uint8Array.from(header.subarray(COUNT_AT, COUNT_AT + 4)).buffer)[0]!;
  if (!header.equals(headerOf(shape, count))) {
    throw new Error('it is damaged, or was written for another embedder');
  }
  const size = recordBytes(shape.dimension);
  if (status.size !== header.length + count * size + HASH_BYTES) {
    throw new Error('its size is not what its header says');
  }
  hash.update(header);
  const records: VectorRecord[] = [];
  const inPiece = Math.max(1, Math.floor(PIECE_BYTES / size));
  for (let first = 0; first < count; first += inPiece) {
    const number = Math.min(inPiece, count - first);
    const piece = readExactly(file, number * size);
    hash.update(piece);
    for (let i = Math.max(0, count - maxRecords - first); i < number; i++) {
      records.push(parseRecord(piece.subarray(i * size, (i + 1) * size)));
    }
  }
  if (!readExactly(file, HASH_BYTES).equals(hash.digest()))
    throw new Error('its checksum is wrong');
  return records;
}

/** Fewer bytes at the end of the file. */
function readExactly(file: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const read = readSync(file, bytes, done, length - done, null);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

function parseRecord(bytes: Buffer): VectorRecord {
  const key = bytes.toString('hex', 0, KEY_BYTES);
  // A copy: aligned, and without the piece it came in.
  return { key, vector: new Float32Array(Uint8Array.from(bytes.subarray(KEY_BYTES)).buffer) };
}

/** Writes everything, oldest record first; between two pieces other work goes on. */
export async function writeVectorFile(
  file: FileHandle,
  shape: VectorShape,
  records: readonly VectorRecord[],
): Promise<void> {
  const hash = createHash('sha256');
  await writePiece(file, headerOf(shape, records.length), hash);
  const inPiece = Math.max(1, Math.floor(PIECE_BYTES / recordBytes(shape.dimension)));
  for (let first = 0; first < records.length; first += inPiece) {
    const piece = records
      .slice(first, first + inPiece)
      .flatMap(({ key, vector }) => [
        Buffer.from(key, 'hex'),
        Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength),
      ]);
    await writePiece(file, Buffer.concat(piece), hash);
  }
  await file.writeFile(hash.digest());
}

async function writePiece(file: FileHandle, piece: Buffer, hash: Hash): Promise<void> {
  hash.update(piece);
  await file.writeFile(piece);
}
