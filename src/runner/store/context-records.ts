// Which contexts stand on disk. One is written when all of its pages are there, again when it has grown, and taken
// off as soon as it, or one of its pages, is gone.
import type { DiskStore } from './disk/disk-store.ts';
import { newFileId } from './disk/files.ts';
import type { ViewRecord } from './disk/context-file.ts';
import type { PageView } from './kv-page.ts';
import type { PagePool } from './page-pool.ts';
import type { StoredKv } from './kv-store-options.ts';

interface Written {
  readonly id: string;
  readonly bytes: number;
}

export class ContextRecords {
  readonly #disk: DiskStore;
  readonly #pool: PagePool;
  readonly #find: (segment: string) => StoredKv | undefined;
  readonly #due = new Set<string>();
  readonly #written = new Map<string, Written>();

  constructor(disk: DiskStore, pool: PagePool, find: (segment: string) => StoredKv | undefined) {
    this.#disk = disk;
    this.#pool = pool;
    this.#find = find;
  }

  get size(): number {
    return this.#written.size;
  }

  /** The context is new, or has grown. */
  add(segment: string): void {
    this.#due.add(segment);
  }

  /** It was found on disk. */
  adopt(segment: string, written: Written): void {
    this.#written.set(segment, written);
    this.#pool.disk.addExtra(written.bytes);
  }

  /** The context, or one of its pages, is gone. What is on disk may stay there, for the next start. */
  remove(segment: string, keepsFile = false): void {
    this.#due.delete(segment);
    const written = this.#written.get(segment);
    if (!written) return;
    this.#written.delete(segment);
    this.#pool.disk.addExtra(-written.bytes);
    if (!keepsFile) this.#disk.removeContext(written.id);
  }

  /** False = none can be written now. */
  async writeOne(): Promise<boolean> {
    for (const segment of this.#due) {
      const entry = this.#find(segment);
      const views = entry && recordsOf(entry.views);
      if (!views) continue;
      this.#due.delete(segment);
      await this.#write(segment, entry, views);
      return true;
    }
    return false;
  }

  checkIntegrity(): void {
    for (const segment of this.#written.keys()) {
      const entry = this.#find(segment);
      if (!entry) throw new Error('a context on disk is not known');
      if (!recordsOf(entry.views) && !this.#due.has(segment)) {
        throw new Error('a context on disk names a page that is not there');
      }
    }
  }

  /** Counted before it is written: it may be removed while that goes on. */
  async #write(segment: string, { context }: StoredKv, views: ViewRecord[]): Promise<void> {
    const { segment: _, ...described } = context;
    const encoded = this.#disk.encodeContext({ context: described, views });
    const before = this.#written.get(segment);
    const more = Math.max(0, encoded.length - (before?.bytes ?? 0));
    const hasRoom = this.#pool.makeRoom(this.#pool.disk, more, context.scope);
    // The room may have been its own pages.
    if (!hasRoom || !views.every(({ page }) => this.#isOnDisk(segment, page.id))) return;
    const written = { id: before?.id ?? newFileId(), bytes: encoded.length };
    this.#pool.disk.addExtra(written.bytes - (before?.bytes ?? 0));
    this.#written.set(segment, written);
    const isWritten = await this.#disk.writeContext(written.id, encoded);
    if (this.#written.get(segment) !== written) {
      this.#disk.removeContext(written.id);
    } else if (!isWritten) {
      this.remove(segment);
      this.#due.add(segment);
    }
  }

  #isOnDisk(segment: string, id: string): boolean {
    return this.#find(segment)?.views.some(({ page }) => page.file?.id === id) ?? false;
  }
}

/** Null when a page has no file. */
function recordsOf(views: readonly PageView[]): ViewRecord[] | null {
  const records: ViewRecord[] = [];
  for (const { page, start, end } of views) {
    if (!page.file) return null;
    const { id, digest, format } = page.file;
    records.push({ page: { id, digest, format, numTokens: page.shape.numTokens }, start, end });
  }
  return records;
}
