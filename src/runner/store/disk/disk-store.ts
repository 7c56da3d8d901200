// Pages and contexts on disk, with a say about its health. A disk that fails is no failure of a request: what cannot
// be read is gone and computed again, and after a write that failed nothing is written for a while.
import { unlink } from 'node:fs/promises';
import type { PackedPage, PageShape } from '../packed-page.ts';
import { encodeContext, type ContextRecord } from './context-file.ts';
import { DiskFolder, type FoundContext } from './disk-folder.ts';
import { newFileId, publish } from './files.ts';
import { pageFileBytes, readPageFile, writePageFile, type PageKey } from './page-file.ts';

export interface DiskOptions {
  readonly folder: string;
  readonly fingerprint: string;
  /** Milliseconds that nothing is written after a failure. */
  readonly retryMs?: number;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** A page that is on disk. */
export interface PageFile {
  readonly id: string;
  readonly digest: string;
  readonly format: PackedPage['format'];
  readonly bytes: number;
}

export interface OwnedShape {
  readonly scope: string;
  readonly shape: PageShape;
}

const RETRY_MS = 5_000;
/** Of a file that does not exist yet: as long as any other. */
const NO_ID = '0'.repeat(32);

export class DiskStore {
  readonly #options: DiskOptions;
  readonly #folder: DiskFolder;
  readonly #deleting = new Set<Promise<void>>();
  /** What was there at start, oldest first. */
  readonly found: readonly FoundContext[];
  #failedAt: number | null = null;
  #damaged = 0;

  private constructor(options: DiskOptions, folder: DiskFolder, found: readonly FoundContext[]) {
    this.#options = options;
    this.#folder = folder;
    this.found = found;
  }

  /** Null, and a report, when the folder cannot be used. */
  static async open(options: DiskOptions): Promise<DiskStore | null> {
    try {
      const folder = await DiskFolder.open(options.folder, options.fingerprint);
      return new DiskStore(options, folder, await folder.sweep());
    } catch (error) {
      options.onProblem('KV is not kept on disk', error);
      return null;
    }
  }

  /** False for a while after a write that failed. */
  get isWritable(): boolean {
    return this.writableIn === 0;
  }

  /** Whether the last write worked. */
  get isHealthy(): boolean {
    return this.#failedAt === null;
  }

  /** Milliseconds until the next try. */
  get writableIn(): number {
    if (this.#failedAt === null) return 0;
    const retryMs = this.#options.retryMs ?? RETRY_MS;
    return Math.max(0, this.#failedAt + retryMs - performance.now());
  }

  /** Files that were not what they had to be. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Known before the page is packed. */
  bytesOf(page: OwnedShape, format: PackedPage['format']): number {
    return pageFileBytes(this.#keyOf(page, NO_ID, format));
  }

  async writePage(owned: OwnedShape, page: PackedPage): Promise<PageFile | null> {
    const id = newFileId();
    const key = this.#keyOf(owned, id, page.format);
    const digest = await this.#write(() => writePageFile(this.#folder.pagePath(id), key, page));
    return digest === null ? null : { id, digest, format: page.format, bytes: pageFileBytes(key) };
  }

  /** Null when the file is not, to the bit, what was written; it is deleted then. */
  async readPage(owned: OwnedShape, { id, digest, format }: PageFile): Promise<PackedPage | null> {
    try {
      return await readPageFile(this.#folder.pagePath(id), this.#keyOf(owned, id, format), digest);
    } catch (error) {
      this.#damaged++;
      this.#options.onProblem('A page on disk cannot be used', error);
      this.#delete(this.#folder.pagePath(id));
      return null;
    }
  }

  removePage({ id }: Pick<PageFile, 'id'>): void {
    this.#delete(this.#folder.pagePath(id));
  }

  /** What `writeContext` will write: its size is known before. */
  encodeContext(record: Omit<ContextRecord, 'fingerprint'>): Uint8Array {
    return encodeContext({ fingerprint: this.#options.fingerprint, ...record });
  }

  /** Replaces what has that id. False when it could not be written. */
  async writeContext(id: string, encoded: Uint8Array): Promise<boolean> {
    const written = this.#write(async () => {
      await publish(this.#folder.contextPath(id), [encoded]);
      return true;
    });
    return (await written) ?? false;
  }

  removeContext(id: string): void {
    this.#delete(this.#folder.contextPath(id));
  }

  /** Until everything deleted is gone. */
  async settled(): Promise<void> {
    while (this.#deleting.size > 0) await Promise.all(this.#deleting);
  }

  async close(): Promise<void> {
    await this.settled();
    await this.#folder.close();
  }

  #keyOf({ scope, shape }: OwnedShape, id: string, format: PackedPage['format']): PageKey {
    return { id, fingerprint: this.#options.fingerprint, scope, shape, format };
  }

  async #write<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      const result = await work();
      this.#failedAt = null;
      return result;
    } catch (error) {
      if (this.isHealthy) this.#options.onProblem('KV could not be written to disk', error);
      this.#failedAt = performance.now();
      return null;
    }
  }

  #delete(path: string): void {
    const deleting = unlink(path)
      .catch(() => undefined)
      .finally(() => this.#deleting.delete(deleting));
    this.#deleting.add(deleting);
  }
}
