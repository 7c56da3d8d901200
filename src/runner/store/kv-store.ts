// Contexts whose KV the runner keeps. The only file of the store that imports lru-cache: it keeps the order of use of
// contexts; bytes are counted by page (page-tier.ts), since contexts share pages (design: runner rule 6). Space is
// made before anything is allocated. Where the pages are is page-pool.ts's business; with tiers below the live one
// they come and go while their context stays, and `bring` is how a request gets them back.
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { bytesPerToken } from '../../kv/index.ts';
import { SegmentNames, type RunnerInfo, type StoredContext } from '../../protocol/index.ts';
import type { KvBlock } from '../model/kv-block.ts';
import { checkContexts } from './check-contexts.ts';
import { bytesOf, ContextPins } from './context-pins.ts';
import { ContextRecords } from './context-records.ts';
import type { DiskStore } from './disk/disk-store.ts';
import { headViews, newPage, pagesOf, viewLength, type KvPage, type PageView } from './kv-page.ts';
import type { Bringing, KvStoreOptions, NewContext, StoredKv, Wanted } from './kv-store-options.ts';
import { LiveLeases, type LiveLease } from './live-leases.ts';
import { PageMover, type Way } from './page-mover.ts';
import { PagePool } from './page-pool.ts';
import type { PageShape } from './packed-page.ts';
import { restoreContexts } from './restore-contexts.ts';
import { Sightings } from './sightings.ts';

export type { Bringing, StoredKv, Wanted } from './kv-store-options.ts';

const MAX_CONTEXTS = 65_536;
const HOLD_MS = 60_000;
/** A disk that is slower than computing is no help. */
const LONGEST_ARRIVAL_MS = 5_000;
const FLUSH_MS = 2_000;
/** Share of a prompt's runs that make it one that was seen before. */
const KNOWN = 0.5;

export class KvStore {
  readonly #options: KvStoreOptions;
  readonly #contexts: LRUCache<string, StoredKv>;
  readonly #pool: PagePool;
  readonly #mover: PageMover;
  readonly #records: ContextRecords | null;
  readonly #sightings: Sightings | null;
  readonly #bytesPerToken: number;
  readonly #leases: LiveLeases;
  readonly names: SegmentNames;
  readonly contextPins: ContextPins;
  #refused = 0;
  #notFinite = 0;
  #evicted: string[] = [];
  /** While closing, what is on disk stays. */
  #isClosing = false;

  constructor(options: KvStoreOptions) {
    const { tf, disk = null, hostFormat = 'fp32', hostBytes = 0, diskBytes = 0 } = options;
    const { maxBytes, scopeShare = 1, now = () => performance.now() } = options;
    this.#options = options;
    this.#bytesPerToken = bytesPerToken(options.layout);
    this.names = new SegmentNames(options.generation);
    this.#pool = new PagePool({
      liveBytes: maxBytes,
      hostBytes,
      diskBytes,
      scopeShare,
      disk,
      now,
      onLost: (page) => this.#lose(page),
      onUnfiled: (page) => page.holders.forEach((segment) => this.#records?.remove(segment)),
    });
    this.contextPins = new ContextPins(this.#pool.pins, now, {
      maxBytes,
      scopeShare,
      promisedBytes: () => this.#leases.promisedBytes,
    });
    this.#leases = new LiveLeases({
      pool: this.#pool,
      bytesPerToken: this.#bytesPerToken,
      pinnedBytes: () => this.contextPins.bytes,
    });
    this.#records = disk && new ContextRecords(disk, this.#pool, (id) => this.#contexts.peek(id));
    this.#mover = new PageMover({
      tf,
      pool: this.#pool,
      disk,
      hostFormat,
      onNotFinite: (page) => {
        this.#notFinite++;
        this.#lose(page);
      },
      onProblem: (what, error) => options.onProblem?.(what, error),
      writeContext: () => this.#records?.writeOne() ?? Promise.resolve(false),
    });
    const watches = options.admission === 'second-sighting';
    this.#sightings = watches ? new Sightings() : null;
    this.#contexts = new LRUCache<string, StoredKv>({
      max: MAX_CONTEXTS,
      dispose: (entry, segment, reason) => {
        if (reason !== 'set') this.#forget(segment, entry);
      },
    });
    if (disk) this.#restore(disk);
  }

  /** Of live tensors that are kept. */
  get bytes(): number {
    return this.#pool.live.pageBytes;
  }

  /** The most tokens that a request can have KV of. */
  get capacity(): number {
    return Math.floor(this.#options.maxBytes / this.#bytesPerToken);
  }

  get size(): number {
    return this.#contexts.size;
  }

  /** K and V of every live page. */
  get numTensors(): number {
    return this.#pool.live.size * 2;
  }

  get info(): RunnerInfo['store'] {
    const { live, host, disk, lost } = this.#pool;
    const { disk: store, hostFormat = 'fp32' } = this.#options;
    return {
      bytes: live.pageBytes,
      runningBytes: this.#leases.bytes,
      maxBytes: live.maxBytes,
      contexts: this.size,
      tiers: {
        host: { bytes: host.bytes, maxBytes: host.maxBytes, format: hostFormat },
        disk: { bytes: disk.bytes, maxBytes: disk.maxBytes, isHealthy: store?.isHealthy ?? true },
        movedBytes: { ...this.#mover.traffic },
        pages: { lost, damaged: store?.damaged ?? 0, notFinite: this.#notFinite },
        refusedContexts: this.#refused,
      },
    };
  }

  /** Which way KV is being copied: it needs many short turns of the event loop. */
  get moving(): Way | null {
    return this.#mover.way;
  }

  /** Marks the context as used. */
  get(segment: string): StoredKv | undefined {
    const entry = this.#contexts.get(segment);
    entry?.views.forEach(({ page }) => this.#pool.touch(page));
    return entry;
  }

  /** Oldest first. */
  contexts(): StoredContext[] {
    return [...this.#contexts.values()].map((entry) => entry.context).reverse();
  }

  /** Of a context that is stored, whoever used it last; null = it is not. */
  pagesOf(segment: string): KvPage[] | null {
    return this.#contexts.peek(segment)?.views.map(({ page }) => page) ?? null;
  }

  /** For KV of a request that may come to so many tokens; null = not before others have finished. */
  lease(tokens: number, wanted: readonly Wanted[]): LiveLease | null {
    const pages = new Set(wanted.flatMap((part) => this.#pagesWanted(part)));
    return this.#leases.open(tokens, bytesOf(pages));
  }

  /** Asks for the pages of a request that is about to start; the others go on meanwhile. */
  bring(wanted: readonly Wanted[]): Bringing {
    const held = new Set(wanted.flatMap((part) => this.#pagesWanted(part)));
    const missing = [...held].filter((page) => !page.live);
    const release = this.#pool.pins.hold([...held], HOLD_MS);
    if (missing.length === 0) return { arrival: null, release };
    const lifted = this.#mover.bring(missing).catch((error: unknown) => {
      this.#options.onProblem?.('KV could not be brought back', error);
    });
    const late = sleep(LONGEST_ARRIVAL_MS, undefined, { ref: false });
    return { arrival: Promise.race([lifted, late]), release };
  }

  /** Null when it cannot fit, even with everything else evicted, or is not worth it. */
  put(fresh: NewContext): StoredContext | null {
    const context = { ...fresh.context, segment: this.names.next };
    const isKept = this.#isAdmitted(fresh);
    const views = isKept ? this.#claim(context.segment, fresh) : null;
    if (views) {
      this.names.issue();
      this.#set(context, views);
    }
    this.#announce();
    return views && context;
  }

  /** Adds tokens behind a stored context; null when it is gone or they do not fit. */
  extend(
    segment: string,
    tokens: readonly number[],
    makePage: () => KvBlock,
  ): StoredContext | null {
    const old = this.get(segment);
    if (!old) return null;
    const exact = old.context.exactTokens === old.context.tokens.length;
    const context: StoredContext = {
      ...old.context,
      tokens,
      exactTokens: exact ? tokens.length : old.context.exactTokens,
    };
    const views = this.#claim(segment, { context, shared: old.views, makePage });
    if (views) this.#set(context, views);
    this.#announce();
    return views && context;
  }

  /** Memory is short outside of this store: half of the live pages go. */
  shed(): void {
    this.#pool.shed();
    this.#announce();
  }

  /** Resolves when what was on disk is gone from there, too. */
  async remove(segments: readonly string[]): Promise<void> {
    for (const segment of segments) this.#contexts.delete(segment);
    this.#announce();
    await this.#options.disk?.settled();
  }

  /** Forgets everything, on disk, too. */
  clear(): void {
    this.#contexts.clear();
    this.#announce();
  }

  /** Until every copy that is due has been made. */
  async settled(): Promise<void> {
    await this.#mover.settled();
    await this.#options.disk?.settled();
  }

  /** What is on disk is there for the next start. */
  async close(): Promise<void> {
    await Promise.race([this.#mover.settled(), sleep(FLUSH_MS, undefined, { ref: false })]);
    await this.#mover.stop();
    this.#isClosing = true;
    this.#contexts.clear();
    await this.#options.disk?.close();
  }

  /** Throws when byte or reference counts disagree with what is reachable (conservation law). */
  checkIntegrity(): void {
    this.#pool.checkIntegrity(checkContexts(this.#contexts.entries()));
    this.#records?.checkIntegrity();
  }

  #pagesWanted({ segment, start, end }: Wanted): KvPage[] {
    return pagesOf(this.get(segment)?.views ?? [], start, end);
  }

  #isAdmitted({ context, shared }: NewContext): boolean {
    if (!this.#sightings) return true;
    const known = this.#sightings.see(context.scope, context.tokens);
    if (shared.length > 0 || known >= KNOWN || !this.#pool.isShort) return true;
    this.#refused++;
    return false;
  }

  /** The views of a context, new or grown: it holds their pages from here on. */
  #claim(segment: string, { context, shared, makePage }: NewContext): PageView[] | null {
    const covered = shared.reduce((sum, view) => sum + viewLength(view), 0);
    const numTokens = context.tokens.length - covered;
    const joined = shared.map(({ page }) => page).filter((page) => !page.holders.has(segment));
    for (const page of joined) page.holders.add(segment);
    if (numTokens === 0) return [...shared];
    const release = this.#pool.pins.hold(
      shared.map(({ page }) => page),
      HOLD_MS,
    );
    const page = this.#newPage(context.scope, numTokens, makePage);
    release();
    if (!page) {
      for (const old of joined) this.#leave(old, segment);
      return null;
    }
    page.holders.add(segment);
    return [...headViews(shared, covered), { page, start: 0, end: numTokens }];
  }

  #newPage(scope: string, numTokens: number, makePage: () => KvBlock): KvPage | null {
    const bytes = numTokens * this.#bytesPerToken;
    // Nobody leaves for what cannot fit.
    if (this.#leases.bytes + bytes > this.#options.maxBytes) return null;
    if (!this.#pool.makeRoom(this.#pool.live, bytes, scope)) return null;
    const page = newPage(scope, this.#shapeOf(numTokens), bytes);
    try {
      this.#pool.setLive(page, makePage(), false);
    } catch (error) {
      // Most likely there is no memory, whatever the limit says.
      this.#pool.shed();
      this.#options.onProblem?.('KV could not be kept', error);
      return null;
    }
    this.#mover.write(page);
    return page;
  }

  #set(context: StoredContext, views: readonly PageView[]): void {
    // Pinned contexts are never the least recently used one.
    const isFull = this.#contexts.size >= MAX_CONTEXTS;
    if (isFull) for (const pinned of this.contextPins.segments()) this.#contexts.get(pinned);
    this.#contexts.set(context.segment, { context, views });
    const pages = views.map(({ page }) => page);
    for (const page of pages) this.#pool.touch(page);
    this.contextPins.follow(context.segment, pages);
    this.#records?.add(context.segment);
    this.#mover.tend();
  }

  #restore(disk: DiskStore): void {
    const restored = restoreContexts({
      disk,
      pool: this.#pool,
      bytesPerToken: this.#bytesPerToken,
      shapeOf: (numTokens) => this.#shapeOf(numTokens),
    });
    for (const { id, bytes, context, views } of restored) {
      const segment = this.names.issue();
      for (const { page } of views) {
        page.holders.add(segment);
        this.#pool.touch(page);
      }
      this.#contexts.set(segment, { context: { ...context, segment }, views });
      this.#records?.adopt(segment, { id, bytes });
    }
  }

  #shapeOf(numTokens: number): PageShape {
    const { numLayers, numKvHeads, headDim } = this.#options.layout;
    return { numLayers, numKvHeads, headDim, numTokens };
  }

  #lose(page: KvPage): void {
    for (const segment of [...page.holders]) this.#contexts.delete(segment);
    this.#announce();
  }

  /** The context has left. */
  #forget(segment: string, entry: StoredKv): void {
    this.#evicted.push(segment);
    this.contextPins.release(segment);
    this.#records?.remove(segment, this.#isClosing);
    for (const { page } of entry.views) this.#leave(page, segment);
  }

  #leave(page: KvPage, segment: string): void {
    page.holders.delete(segment);
    if (page.holders.size === 0) this.#pool.free(page, this.#isClosing);
  }

  #announce(): void {
    if (this.#evicted.length === 0) return;
    const segments = this.#evicted;
    this.#evicted = [];
    this.#options.onEvict(segments);
  }
}
