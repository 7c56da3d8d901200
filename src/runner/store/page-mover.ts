// Copies pages between tiers while the engine computes: down before their place is needed, so that making room is
// only letting go; up before a request that wants them starts. One page at a time each way, part by part.
import type { Tf } from '../backend/index.ts';
import type { DiskStore } from './disk/disk-store.ts';
import type { KvPage } from './kv-page.ts';
import { isLossy, type KvFormat } from './page-codec.ts';
import { packedPageBytes, type PackedPage } from './packed-page.ts';
import type { PagePool } from './page-pool.ts';
import { packPage, toBlock, unpackPage } from './page-tensors.ts';

/** So much of the live pages, or a page as large as any before, can leave at once: copies are in host memory. */
const READY_TO_LEAVE = 0.25;

/** A crash loses what is not on disk. */
const LATE_MS = 300;

/** `up`: somebody waits for it. `late`: what is to go down has waited for long. */
export type Way = 'up' | 'down' | 'late';

export interface Traffic {
  readonly toHost: number;
  readonly toDisk: number;
  readonly fromHost: number;
  readonly fromDisk: number;
}

export interface MoverOptions {
  readonly tf: Tf;
  readonly pool: PagePool;
  readonly disk: DiskStore | null;
  readonly hostFormat: KvFormat;
  /** The page holds something that is no number: it must not be used any more. */
  readonly onNotFinite: (page: KvPage) => void;
  readonly onProblem: (what: string, error: unknown) => void;
  /** Writes a context whose pages are there. False = there is none. */
  readonly writeContext: () => Promise<boolean>;
}

export class PageMover {
  readonly #options: MoverOptions;
  /** Not on disk yet, in the order they were stored, and since when. */
  readonly #unwritten = new Map<KvPage, number>();
  /** No room was found for these; they are tried again after the next change. */
  readonly #skipped = new Set<KvPage>();
  readonly #traffic = { toHost: 0, toDisk: 0, fromHost: 0, fromDisk: 0 };
  #tending: Promise<void> | null = null;
  #lifting: Promise<void> = Promise.resolve();
  #numLifting = 0;
  #retry: NodeJS.Timeout | null = null;
  #isDue = false;
  #isStopped = false;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Bytes moved since the start. */
  get traffic(): Traffic {
    return this.#traffic;
  }

  get way(): Way | null {
    if (this.#numLifting > 0) return 'up';
    if (!this.#tending) return null;
    const [since = Infinity] = this.#unwritten.values();
    return performance.now() - since > LATE_MS ? 'late' : 'down';
  }

  /** A page is new: it goes to disk, if there is one. */
  write(page: KvPage): void {
    if (this.#options.disk) this.#unwritten.set(page, performance.now());
  }

  /** Something has changed: there may be something to copy down. */
  tend(): void {
    this.#isDue = true;
    if (!this.#isStopped) this.#tending ??= this.#tend();
  }

  /** Until everything is where it should be, or cannot get there. */
  async settled(): Promise<void> {
    await this.#lifting;
    while (this.#tending) await this.#tending;
  }

  /** Tries to make these pages live; whoever needs them looks whether they are. */
  bring(pages: readonly KvPage[]): Promise<void> {
    this.#numLifting++;
    const lifted = this.#lifting
      .then(async () => {
        for (const page of pages) await this.#lift(page);
      })
      .finally(() => this.#numLifting--);
    this.#lifting = lifted.catch(() => undefined);
    return lifted;
  }

  /** After the copy that is being made. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#retry) clearTimeout(this.#retry);
    await this.settled();
  }

  async #tend(): Promise<void> {
    try {
      while (this.#isDue) {
        this.#isDue = false;
        this.#skipped.clear();
        while (await this.#moveOne()) continue;
      }
    } catch (error) {
      // Most likely there is no memory for a copy: it is made when something changes, or never.
      this.#options.onProblem('KV could not be copied', error);
    } finally {
      this.#tending = null;
    }
  }

  /** False = nothing to do. */
  async #moveOne(): Promise<boolean> {
    if (this.#isStopped) return false;
    const { pool, disk, writeContext } = this.#options;
    if (pool.host.maxBytes > 0) {
      const room = Math.max(READY_TO_LEAVE, pool.largestPage / pool.live.maxBytes);
      const leaving = new Set(pool.live.beyond(1 - room));
      for (const page of leaving) {
        if (page.packed || this.#skipped.has(page)) continue;
        await this.#toHost(page, leaving);
        return true;
      }
    }
    if (!disk) return false;
    if (!disk.isWritable) {
      this.#tryLater(disk.writableIn);
      return false;
    }
    // A page is of no use without its context; where pages come as fast as they are written, contexts do not wait for all.
    if (await writeContext()) return true;
    for (const page of this.#unwritten.keys()) {
      this.#unwritten.delete(page);
      if (page.holders.size === 0) continue;
      await this.#toDisk(page, disk);
      return true;
    }
    return false;
  }

  #tryLater(ms: number): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.tend();
    }, ms + 1).unref();
  }

  /** The others that are leaving keep their copies, or two pages would push each other out for ever. */
  async #toHost(page: KvPage, leaving: ReadonlySet<KvPage>): Promise<void> {
    const { pool, hostFormat } = this.#options;
    const bytes = packedPageBytes(hostFormat, page.shape);
    if (!pool.makeRoom(pool.host, bytes, page.scope, leaving)) {
      this.#skipped.add(page);
      return;
    }
    const packed = await this.#pack(page, hostFormat);
    if (!packed) {
      this.#skipped.add(page);
      return;
    }
    pool.setPacked(page, packed);
    this.#traffic.toHost += bytes;
  }

  async #toDisk(page: KvPage, disk: DiskStore): Promise<void> {
    const { pool, hostFormat } = this.#options;
    // What is exact stays exact; what was rounded needs no more room than that.
    const format = page.live && !page.isRounded ? 'fp32' : (page.packed?.format ?? hostFormat);
    const bytes = disk.bytesOf(page, format);
    if (!pool.makeRoom(pool.disk, bytes, page.scope) || page.holders.size === 0) return;
    const packed = page.packed?.format === format ? page.packed : await this.#pack(page, format);
    if (!packed) return;
    const file = await disk.writePage(page, packed);
    if (!file) {
      this.#unwritten.set(page, performance.now());
    } else if (page.holders.size === 0) {
      disk.removePage(file);
    } else {
      pool.setFile(page, file);
      this.#traffic.toDisk += file.bytes;
    }
  }

  /** Null when the page is not live any more, or must not be. */
  async #pack(page: KvPage, format: KvFormat): Promise<PackedPage | null> {
    const packed = await packPage(this.#options.tf, page, format);
    if (packed === 'not-finite' && page.holders.size > 0) this.#options.onNotFinite(page);
    return packed === 'not-finite' || packed === 'gone' || page.holders.size === 0 ? null : packed;
  }

  async #lift(page: KvPage): Promise<void> {
    const { tf, pool, disk } = this.#options;
    const isWanted = (): boolean => !this.#isStopped && !page.live && page.holders.size > 0;
    if (!isWanted() || pool.live.lacks(page.bytes, page.scope) === 'never') return;
    const from = page.packed ? 'fromHost' : 'fromDisk';
    const packed = page.packed ?? (page.file && disk && (await disk.readPage(page, page.file)));
    if (!packed) {
      pool.dropFile(page);
      return;
    }
    const numbers = await unpackPage(page.shape, packed);
    if (!isWanted() || !pool.makeRoom(pool.live, page.bytes, page.scope)) return;
    pool.setLive(page, toBlock(tf, page.shape, numbers), isLossy(packed.format));
    this.#traffic[from] += packedPageBytes(packed.format, page.shape);
    this.tend();
  }
}
