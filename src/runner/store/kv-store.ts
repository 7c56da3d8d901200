// Contexts whose KV the runner keeps, bounded in bytes; the least recently used goes first. The only
// file that imports lru-cache: it keeps the order of use, while bytes are counted by page here, since
// contexts share pages (design: runner rule 6). Space is made before anything is allocated.
import { LRUCache } from 'lru-cache';
import type { StoredContext } from '../../protocol/index.ts';
import { disposePage, headViews, viewLength, type KvPage, type PageView } from './kv-page.ts';

export interface StoredKv {
  readonly context: StoredContext;
  /** Cover positions [0, context.tokens.length). */
  readonly views: readonly PageView[];
}

export interface KvStoreOptions {
  readonly maxBytes: number;
  readonly bytesPerToken: number;
  readonly generation: string;
  readonly onEvict: (segments: string[]) => void;
}

/** What to store: views that exist already and how to make the page for the tokens behind them. */
export interface NewContext {
  readonly context: Omit<StoredContext, 'segment'>;
  readonly shared: readonly PageView[];
  readonly makePage: () => KvPage['kv'];
}

const MAX_CONTEXTS = 65_536;

export class KvStore {
  readonly #options: KvStoreOptions;
  readonly #contexts: LRUCache<string, StoredKv>;
  #bytes = 0;
  #issued = 0;
  #evicted: string[] = [];

  constructor(options: KvStoreOptions) {
    this.#options = options;
    this.#contexts = new LRUCache<string, StoredKv>({
      max: MAX_CONTEXTS,
      dispose: (entry, segment, reason) => {
        if (reason === 'set') return;
        for (const view of entry.views) this.#release(view.page);
        this.#evicted.push(segment);
      },
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#contexts.size;
  }

  /** Number of tensors held: two a page. */
  get numTensors(): number {
    return this.#pages().size * 2;
  }

  /** Marks the context as used. */
  get(segment: string): StoredKv | undefined {
    return this.#contexts.get(segment);
  }

  contexts(): StoredContext[] {
    return [...this.#contexts.values()].map((entry) => entry.context).reverse();
  }

  /** Whether this store ever gave out the id: known but gone means evicted, never seen means invalid. */
  wasIssued(segment: string): boolean {
    const match = /^([\w-]+)\.(\d+)$/.exec(segment);
    if (!match) return false;
    return match[1] !== this.#options.generation || Number(match[2]) < this.#issued;
  }

  isOtherGeneration(segment: string): boolean {
    return !segment.startsWith(`${this.#options.generation}.`);
  }

  /** Null when it cannot fit, even with everything else evicted. */
  put(fresh: NewContext): StoredContext | null {
    const context = { ...fresh.context, segment: `${this.#options.generation}.${this.#issued}` };
    const views = this.#claim(fresh);
    if (!views) return null;
    this.#issued++;
    this.#contexts.set(context.segment, { context, views });
    this.#announce();
    return context;
  }

  /** Adds tokens behind a stored context; null when it is gone or they do not fit. */
  extend(
    segment: string,
    tokens: readonly number[],
    makePage: () => KvPage['kv'],
  ): StoredContext | null {
    const old = this.#contexts.get(segment);
    if (!old) return null;
    const exact = old.context.exactTokens === old.context.tokens.length;
    const context: StoredContext = {
      ...old.context,
      tokens,
      exactTokens: exact ? tokens.length : old.context.exactTokens,
    };
    const views = this.#claim({ context, shared: old.views, makePage });
    if (!views) return null;
    // The old entry's references pass to the new one; #claim took a second set.
    for (const view of old.views) this.#release(view.page);
    this.#contexts.set(segment, { context, views });
    this.#announce();
    return context;
  }

  clear(): void {
    this.#contexts.clear();
    this.#announce();
  }

  /** Throws when byte or reference counts disagree with what is reachable (conservation law). */
  checkIntegrity(): void {
    const references = new Map<KvPage, number>();
    for (const entry of this.#contexts.values()) {
      const length = entry.views.reduce((sum, view) => sum + viewLength(view), 0);
      if (length !== entry.context.tokens.length) throw new Error('views do not cover the context');
      for (const { page } of entry.views) references.set(page, (references.get(page) ?? 0) + 1);
    }
    let bytes = 0;
    for (const [page, count] of references) {
      bytes += page.bytes;
      if (page.refs !== count) throw new Error(`a page has ${page.refs} references, not ${count}`);
    }
    if (bytes !== this.#bytes) throw new Error(`${this.#bytes} bytes counted, ${bytes} reachable`);
  }

  #claim({ context, shared, makePage }: NewContext): PageView[] | null {
    const covered = shared.reduce((sum, view) => sum + viewLength(view), 0);
    const numTokens = context.tokens.length - covered;
    const bytes = numTokens * this.#options.bytesPerToken;
    for (const { page } of shared) page.refs++;
    if (!this.#makeRoom(bytes)) {
      for (const { page } of shared) this.#release(page);
      this.#announce();
      return null;
    }
    if (numTokens === 0) return [...shared];
    const page: KvPage = { kv: makePage(), numTokens, bytes, refs: 1 };
    this.#bytes += bytes;
    return [...headViews(shared, covered), { page, start: 0, end: numTokens }];
  }

  #makeRoom(bytes: number): boolean {
    if (bytes > this.#options.maxBytes) return false;
    while (this.#bytes + bytes > this.#options.maxBytes) {
      if (this.#contexts.pop() === undefined) return false;
    }
    return true;
  }

  #release(page: KvPage): void {
    page.refs--;
    if (page.refs > 0) return;
    this.#bytes -= page.bytes;
    disposePage(page);
  }

  #announce(): void {
    if (this.#evicted.length === 0) return;
    const segments = this.#evicted;
    this.#evicted = [];
    this.#options.onEvict(segments);
  }

  #pages(): Set<KvPage> {
    const pages = new Set<KvPage>();
    for (const entry of this.#contexts.values()) {
      for (const view of entry.views) pages.add(view.page);
    }
    return pages;
  }
}
