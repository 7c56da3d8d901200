// Reads little-endian values from a file through a sliding window, never beyond the file's end and never
// trusting a length before it was compared with what is left. Every violation is one `model_invalid`.
import type { FileHandle } from 'node:fs/promises';
import { KvShareError } from '../errors.ts';

const WINDOW = 2 ** 20;

export const invalidGguf = (message: string): KvShareError =>
  new KvShareError('model_invalid', `The model file is not a sound GGUF file: ${message}.`);

const utf8 = new TextDecoder('utf-8', { fatal: false });

export class ByteCursor {
  readonly #file: FileHandle;
  readonly #fileSize: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #at = 0;

  constructor(file: FileHandle, fileSize: number) {
    this.#file = file;
    this.#fileSize = fileSize;
  }

  get position(): number {
    return this.#at;
  }

  get left(): number {
    return this.#fileSize - this.#at;
  }

  /** Makes the next `size` bytes readable; `size` must fit into what is left of the file. */
  async need(size: number): Promise<void> {
    if (size > this.left) throw invalidGguf('it ends too early');
    const end = this.#windowStart + this.#window.length;
    if (this.#at >= this.#windowStart && this.#at + size <= end) return;
    const length = Math.min(Math.max(size, WINDOW), this.left);
    const next = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(next, filled, length - filled, this.#at + filled);
      if (bytesRead === 0) throw invalidGguf('it ends too early');
      filled += bytesRead;
    }
    this.#window = next;
    this.#windowStart = this.#at;
  }

  /** Whether `size` bytes can be taken without another `need`. */
  has(size: number): boolean {
    return this.#at + size <= this.#windowStart + this.#window.length;
  }

  /** Offset of the next `size` bytes in the window; moves on. Only after `need`. */
  #take(size: number): number {
    const offset = this.#at - this.#windowStart;
    this.#at += size;
    return offset;
  }

  u8 = (): number => this.#window.readUInt8(this.#take(1));
  i8 = (): number => this.#window.readInt8(this.#take(1));
  u16 = (): number => this.#window.readUInt16LE(this.#take(2));
  i16 = (): number => this.#window.readInt16LE(this.#take(2));
  u32 = (): number => this.#window.readUInt32LE(this.#take(4));
  i32 = (): number => this.#window.readInt32LE(this.#take(4));
  f32 = (): number => this.#window.readFloatLE(this.#take(4));
  f64 = (): number => this.#window.readDoubleLE(this.#take(8));
  u64 = (): bigint => this.#window.readBigUInt64LE(this.#take(8));
  i64 = (): bigint => this.#window.readBigInt64LE(this.#take(8));

  text(size: number): string {
    const offset = this.#take(size);
    return utf8.decode(this.#window.subarray(offset, offset + size));
  }

  /** A u64 that counts something of which each takes at least `unit` bytes of this file. */
  count(what: string, unit: number): number {
    const value = this.u64();
    if (value > BigInt(Math.floor(this.left / unit))) {
      throw invalidGguf(`${what} counts ${value}, more than the file could hold`);
    }
    return Number(value);
  }
}
