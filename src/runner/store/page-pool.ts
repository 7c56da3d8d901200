// Pages and where their copies are: live tensors, host memory, disk. A tier makes room before anything is allocated in
// it: first go copies of pages that another tier has, too, then the least recently used page with all of its
// contexts. A scope over its share makes room among its own pages, never among another's.
import { disposeBlock, type KvBlock } from '../model/kv-block.ts';
import type { DiskStore, PageFile } from './disk/disk-store.ts';
import type { KvPage } from './kv-page.ts';
import { packedPageBytes, type PackedPage } from './packed-page.ts';
import { PageTier } from './page-tier.ts';
import { Pins } from './pins.ts';

export interface PoolOptions {
  readonly liveBytes: number;
  readonly hostBytes: number;
  readonly diskBytes: number;
  readonly scopeShare: number;
  readonly disk: DiskStore | null;
  readonly now: () => number;
  /** The last copy is about to go: whoever shows the page must let go of it. */
  readonly onLost: (page: KvPage) => void;
  /** The page is not on disk any more. */
  readonly onUnfiled: (page: KvPage) => void;
}

const FULL = 0.9;

export class PagePool {
  readonly #options: PoolOptions;
  readonly live: PageTier;
  readonly host: PageTier;
  readonly disk: PageTier;
  readonly pins: Pins;
  /** The most that had to fit at once so far. */
  largestPage = 0;
  /** Pages whose last copy went to make room. */
  lost = 0;

  constructor(options: PoolOptions) {
    const { liveBytes, hostBytes, diskBytes, scopeShare, disk, now } = options;
    const tier = (maxBytes: number): PageTier => new PageTier({ maxBytes, scopeShare });
    this.#options = options;
    this.live = tier(liveBytes);
    this.host = tier(hostBytes);
    this.disk = tier(disk ? diskBytes : 0);
    this.pins = new Pins(now);
  }

  /** Whether hardly anything can be added without losing something. */
  get isShort(): boolean {
    return [this.live, this.host, this.disk].every((tier) => tier.bytes >= tier.maxBytes * FULL);
  }

  touch(page: KvPage): void {
    this.live.touch(page);
    this.host.touch(page);
    this.disk.touch(page);
  }

  /** Room was made before. */
  setLive(page: KvPage, live: KvBlock, isRounded: boolean): void {
    page.live = live;
    page.isRounded = isRounded;
    this.live.add(page, page.bytes);
    this.largestPage = Math.max(this.largestPage, page.bytes);
  }

  setPacked(page: KvPage, packed: PackedPage): void {
    page.packed = packed;
    this.host.add(page, packedPageBytes(packed.format, page.shape));
  }

  setFile(page: KvPage, file: PageFile): void {
    page.file = file;
    this.disk.add(page, file.bytes);
  }

  /** Whether so many bytes of that scope's share, or of nobody's, fit now. Pages to `spare` keep their copy in this tier. */
  makeRoom(
    tier: PageTier,
    bytes: number,
    scope: string | null,
    spare?: ReadonlySet<KvPage>,
  ): boolean {
    this.pins.expire();
    for (;;) {
      const lack = tier.lacks(bytes, scope);
      if (lack === null) return true;
      if (lack === 'never') return false;
      const victim = this.#victim(tier, lack === 'scope' && scope !== null ? scope : null, spare);
      if (!victim) return false;
      this.#drop(tier, victim);
    }
  }

  /** Memory is short although nothing is over its limit: the older half of the live pages goes. */
  shed(): void {
    const wanted = this.live.pageBytes / 2;
    while (this.live.pageBytes > wanted) {
      const victim = this.#victim(this.live, null);
      if (!victim) return;
      this.#drop(this.live, victim);
    }
  }

  /** The file turned out to be bad, and is gone already. */
  dropFile(page: KvPage): void {
    if (page.file) this.#drop(this.disk, page);
  }

  /** Nobody shows the page any more. What is on disk may stay there, for the next start. */
  free(page: KvPage, keepsFile: boolean): void {
    this.#forget(this.live, page);
    this.#forget(this.host, page);
    if (keepsFile) this.disk.delete(page);
    else this.#forget(this.disk, page);
  }

  /** Throws when a tier holds anything but the copies of these pages, or counts them wrong. */
  checkIntegrity(pages: readonly KvPage[]): void {
    const copies = (has: (page: KvPage) => unknown): number => pages.filter(has).length;
    const { live, host, disk } = this;
    if (live.size !== copies((page) => page.live)) throw new Error('live: a page is lost');
    if (host.size !== copies((page) => page.packed)) throw new Error('host: a page is lost');
    if (disk.size !== copies((page) => page.file)) throw new Error('disk: a page is lost');
    live.checkIntegrity('live', (page) => (page.live ? page.bytes : -1));
    host.checkIntegrity('host', ({ packed }) =>
      packed ? packed.parts.reduce((sum, part) => sum + part.length, 0) : -1,
    );
    disk.checkIntegrity('disk', ({ file }) => file?.bytes ?? -1);
  }

  /** Of one scope, or of all. */
  #victim(tier: PageTier, scope: string | null, spare?: ReadonlySet<KvPage>): KvPage | null {
    let oldest: KvPage | null = null;
    for (const page of tier.oldest(scope)) {
      if (spare?.has(page)) continue;
      const isPinned = this.pins.has(page);
      const hasCopy = numCopies(page) > 1;
      if (hasCopy && !(isPinned && tier === this.live)) return page;
      if (!isPinned) oldest ??= page;
    }
    return oldest;
  }

  #drop(tier: PageTier, page: KvPage): void {
    if (numCopies(page) > 1) {
      this.#forget(tier, page);
      if (tier === this.disk) this.#options.onUnfiled(page);
      return;
    }
    this.lost++;
    this.#options.onLost(page);
  }

  #forget(tier: PageTier, page: KvPage): void {
    tier.delete(page);
    if (tier === this.live) {
      if (page.live) disposeBlock(page.live);
      page.live = null;
    } else if (tier === this.host) {
      page.packed = null;
    } else {
      if (page.file) this.#options.disk?.removePage(page.file);
      page.file = null;
    }
  }
}

const numCopies = ({ live, packed, file }: KvPage): number =>
  [live, packed, file].filter((copy) => copy !== null).length;
