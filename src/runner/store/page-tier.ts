// Which pages one tier holds, in order of use, and how many bytes: all together and by scope. It moves nothing; it
// says what is lacking before something is allocated.
import type { KvPage } from './kv-page.ts';

export interface TierLimits {
  readonly maxBytes: number;
  /** Of them one scope may have this share, 0..1. */
  readonly scopeShare: number;
}

/** `never`: it fits nowhere. `scope`, `total`: it will when pages of that scope, or any, have left. */
export type Lack = 'never' | 'scope' | 'total';

export class PageTier {
  readonly #limits: TierLimits;
  /** The least recently used first. */
  readonly #pages = new Map<KvPage, number>();
  readonly #scopes = new Map<string, number>();
  #bytes = 0;
  /** What beside pages takes room: context files, or KV that is being computed. */
  #extraBytes = 0;

  constructor(limits: TierLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes + this.#extraBytes;
  }

  get pageBytes(): number {
    return this.#bytes;
  }

  get maxBytes(): number {
    return this.#limits.maxBytes;
  }

  get size(): number {
    return this.#pages.size;
  }

  bytesOf(scope: string): number {
    return this.#scopes.get(scope) ?? 0;
  }

  has(page: KvPage): boolean {
    return this.#pages.has(page);
  }

  /** The least recently used first; of one scope, or of all. */
  *oldest(scope: string | null): Generator<KvPage> {
    for (const page of this.#pages.keys()) {
      if (scope === null || page.scope === scope) yield page;
    }
  }

  /** The pages that would leave if everything, and each scope, had to shrink to this share of its limit. */
  *beyond(share: number): Generator<KvPage> {
    const most = this.maxBytes * share;
    let left = this.bytes;
    const leftOf = new Map(this.#scopes);
    for (const [page, bytes] of this.#pages) {
      const ofScope = leftOf.get(page.scope)!;
      if (left > most || ofScope > most * this.#limits.scopeShare) yield page;
      left -= bytes;
      leftOf.set(page.scope, ofScope - bytes);
    }
  }

  /** What so many more bytes of this scope, or of what is nobody's share, lack; null = they fit. */
  lacks(bytes: number, scope: string | null): Lack | null {
    const { maxBytes, scopeShare } = this.#limits;
    const scopeMax = scope === null ? maxBytes : Math.floor(maxBytes * scopeShare);
    if (bytes > scopeMax) return 'never';
    if (scope !== null && this.bytesOf(scope) + bytes > scopeMax) return 'scope';
    return this.bytes + bytes > maxBytes ? 'total' : null;
  }

  add(page: KvPage, bytes: number): void {
    this.#pages.set(page, bytes);
    this.#count(page.scope, bytes);
  }

  delete(page: KvPage): void {
    const bytes = this.#pages.get(page);
    if (bytes === undefined) return;
    this.#pages.delete(page);
    this.#count(page.scope, -bytes);
  }

  touch(page: KvPage): void {
    const bytes = this.#pages.get(page);
    if (bytes === undefined) return;
    this.#pages.delete(page);
    this.#pages.set(page, bytes);
  }

  addExtra(bytes: number): void {
    this.#extraBytes += bytes;
  }

  /** Throws when the counts are not those of the pages, or over a limit. */
  checkIntegrity(name: string, bytesNow: (page: KvPage) => number): void {
    const scopes = new Map<string, number>();
    let sum = 0;
    for (const [page, bytes] of this.#pages) {
      if (bytesNow(page) !== bytes) {
        throw new Error(`${name}: a page has ${bytesNow(page)} bytes, not ${bytes}`);
      }
      sum += bytes;
      scopes.set(page.scope, (scopes.get(page.scope) ?? 0) + bytes);
    }
    if (sum !== this.#bytes) throw new Error(`${name}: ${this.#bytes} bytes counted, not ${sum}`);
    if (this.bytes > this.maxBytes) throw new Error(`${name}: over its limit`);
    const scopeMax = Math.floor(this.maxBytes * this.#limits.scopeShare);
    for (const [scope, bytes] of this.#scopes) {
      if (bytes !== (scopes.get(scope) ?? 0)) throw new Error(`${name}: a scope is counted wrong`);
      if (bytes > scopeMax) throw new Error(`${name}: a scope is over its quota`);
    }
    if (this.#scopes.size !== scopes.size) throw new Error(`${name}: a scope is gone`);
  }

  #count(scope: string, bytes: number): void {
    this.#bytes += bytes;
    const left = this.bytesOf(scope) + bytes;
    if (left === 0) this.#scopes.delete(scope);
    else this.#scopes.set(scope, left);
  }
}
