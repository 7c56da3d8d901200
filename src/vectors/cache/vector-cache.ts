// Remembers vectors by what they were made from, so that a slow embedder does not embed everything again after a
// restart. A convenience: whatever is wrong with its file is reported, and it starts empty.
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import { readVectorFile, writeVectorFile, type VectorRecord } from './vector-file.ts';

export interface VectorCacheOptions {
  /** What the vectors depend on beside their text; another one means an empty start. */
  readonly fingerprint: string;
  readonly dimension: number;
  /** Beyond it the entry that was used longest ago goes. */
  readonly maxEntries: number;
  /** A file that could not be read or written, for a person. */
  readonly onProblem?: (why: string) => void;
}

const KEY = /^[0-9a-f]{64}$/;

export class VectorCache {
  readonly #path: string;
  readonly #options: VectorCacheOptions;
  readonly #vectors: LRUCache<string, Float32Array>;
  #isChanged = false;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, options: VectorCacheOptions) {
    this.#path = path;
    this.#options = options;
    this.#vectors = new LRUCache({ max: options.maxEntries });
  }

  /** With what the file remembers. Never throws for the file's sake. */
  static open(path: string, options: VectorCacheOptions): VectorCache {
    const cache = new VectorCache(path, options);
    cache.#load();
    return cache;
  }

  get size(): number {
    return this.#vectors.size;
  }

  /** key: 64 hexadecimal digits (SHA-256 of the content). The vector is shared: do not write to it. */
  get(key: string): Float32Array | undefined {
    return this.#vectors.get(key);
  }

  /** vector: [dimension]; copied. */
  set(key: string, vector: Float32Array): void {
    if (!KEY.test(key)) throw new RangeError('A key is 64 lower-case hexadecimal digits.');
    if (vector.length !== this.#options.dimension) {
      throw new RangeError(`A vector has ${this.#options.dimension} numbers.`);
    }
    this.#vectors.set(key, Float32Array.from(vector));
    this.#isChanged = true;
  }

  /** Forgets all whose key begins so; '' = all. On disk they are until the next flush. */
  forget(prefix: string): void {
    for (const key of [...this.#vectors.keys()]) {
      if (key.startsWith(prefix)) this.#isChanged = this.#vectors.delete(key) || this.#isChanged;
    }
  }

  /** Resolves when everything set so far is on disk, or the failure was reported. Never rejects. */
  flush(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  /** Saves and forgets. */
  async close(): Promise<void> {
    await this.flush();
    this.#vectors.clear();
  }

  #load(): void {
    try {
      const records = readVectorFile(this.#path, this.#options, this.#options.maxEntries);
      for (const { key, vector } of records ?? []) this.#vectors.set(key, vector);
    } catch (error) {
      this.#report('Remembered vectors are not used', error);
    }
  }

  async #save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    // A snapshot: stored vectors are never written to, and others may be set while this is being saved.
    const keys = [...this.#vectors.rkeys()];
    const records = keys.map((key) => ({ key, vector: this.#vectors.peek(key)! }));
    const beside = `${this.#path}.${randomUUID()}.tmp`;
    try {
      await this.#publish(beside, records);
    } catch (error) {
      this.#isChanged = true;
      await unlink(beside).catch(() => undefined);
      this.#report('Vectors could not be saved', error);
    }
  }

  /** A crash leaves the old file or the new one. */
  async #publish(beside: string, records: readonly VectorRecord[]): Promise<void> {
    const status = await lstat(this.#path).catch(() => null);
    if (status && !status.isFile()) throw new Error('it is not a regular file');
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await writeVectorFile(file, this.#options, records);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, this.#path);
    const folder = await open(dirname(this.#path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #report(what: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#options.onProblem?.(`${what} (${this.#path}): ${why}`);
  }
}
