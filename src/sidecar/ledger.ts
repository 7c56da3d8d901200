// What is known of donors beside their tokens: whose they are, how often they served, and over which others they were
// computed, so that a wrong one can be traced and purged with everything that it touched. A donor that is gone is
// remembered as long as something computed over it is there; what came from before this process has ancestors that
// nobody knows, and says so.
import type { Donor } from '../kv/index.ts';
import type { PutTogether } from '../reuse/index.ts';

/** Donors that are gone and still remembered; beyond it the oldest is forgotten, and its children's line is unknown. */
const MOST_GONE = 20_000;

interface Entry {
  readonly scope: string;
  readonly tenant: string | null;
  /** Whether an operator may read its text. */
  readonly isReadable: boolean;
  readonly parents: readonly string[];
  readonly made: PutTogether | null;
  readonly children: Set<string>;
  isThere: boolean;
  /** An operator wanted it gone: nothing computed over it is kept. */
  isPurged: boolean;
  /** From before this process: what was computed over it then is not known. */
  readonly isOld: boolean;
  hasUnknownAncestors: boolean;
  hits: number;
  /** Monotonic milliseconds; null = never. */
  lastHitAt: number | null;
}

/** Where a context that was just stored comes from. */
export interface Origin {
  readonly tenant: string | null;
  /** Of the ledger when its request began. */
  readonly epoch: number;
  /** Segments that its plan imported. */
  readonly parents: readonly string[];
  /** Null = it is not known how it was put together. */
  readonly made: PutTogether | null;
  /** Whether its route shows texts to an operator. */
  readonly isReadable: boolean;
}

export type DonorRecord = Readonly<
  Pick<Entry, 'tenant' | 'isReadable' | 'made' | 'hits' | 'lastHitAt' | 'hasUnknownAncestors'>
>;

export class Ledger {
  readonly #tenantOf: (scope: string) => string | null;
  readonly #now: () => number;
  readonly #mostGone: number;
  readonly #entries = new Map<string, Entry>();
  /** Oldest first. */
  readonly #gone = new Set<string>();
  #epoch = 0;

  /** `tenantOf`: of a donor that no request of this process has stored. */
  constructor(
    tenantOf: (scope: string) => string | null,
    now: () => number,
    mostGone: number = MOST_GONE,
  ) {
    this.#tenantOf = tenantOf;
    this.#now = now;
    this.#mostGone = mostGone;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whatever was begun before is not kept. */
  flush(): void {
    this.#epoch++;
  }

  /** Null when nothing is known of it. */
  scopeOf(segment: string): string | null {
    return this.#entries.get(segment)?.scope ?? null;
  }

  /** Every scope that is known to be this tenant's. */
  scopesOf(tenant: string): Set<string> {
    const scopes = new Set<string>();
    for (const entry of this.#entries.values())
      if (entry.tenant === tenant) scopes.add(entry.scope);
    return scopes;
  }

  recordOf(segment: string): DonorRecord | null {
    return this.#entries.get(segment) ?? null;
  }

  /** Before a stored context becomes a donor; false = it must not. */
  admit(segment: string, scope: string, origin: Origin): boolean {
    const { epoch, parents } = origin;
    const isStale = epoch !== this.#epoch;
    const known = parents.map((parent) => this.#entries.get(parent));
    const own = this.#entries.get(segment);
    if (isStale || own?.isPurged || known.some((parent) => parent?.isPurged)) return false;
    // One that the runner listed before its request heard of it is filled in.
    if (own && !own.isOld) return true;
    const hasUnknownAncestors = known.some((parent) => parent?.hasUnknownAncestors ?? true);
    this.#enter(segment, { ...origin, scope, isOld: false, hasUnknownAncestors });
    for (const child of own?.children ?? []) this.#entries.get(segment)!.children.add(child);
    for (const parent of known) parent?.children.add(segment);
    return true;
  }

  /** The runner has it. */
  appear({ segment, scope }: Pick<Donor, 'segment' | 'scope'>): void {
    const known = this.#entries.get(segment);
    if (known) {
      known.isThere = true;
      this.#gone.delete(segment);
      return;
    }
    const tenant = this.#tenantOf(scope);
    const origin = { scope, tenant, parents: [], made: null, isReadable: false };
    this.#enter(segment, { ...origin, isOld: true, hasUnknownAncestors: true });
  }

  /** It is not there any more. */
  disappear(segment: string): void {
    const entry = this.#entries.get(segment);
    if (!entry?.isThere) return;
    entry.isThere = false;
    this.#gone.add(segment);
    this.#prune(segment);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= this.#mostGone) break;
      this.#lose(oldest);
    }
  }

  /** The connection is lost; what is still there will appear again. */
  suspend(): void {
    for (const [segment, entry] of this.#entries) {
      entry.isThere = false;
      this.#gone.add(segment);
    }
  }

  purge(segment: string): void {
    const entry = this.#entries.get(segment);
    if (entry) entry.isPurged = true;
  }

  hit(segments: Iterable<string>): void {
    for (const segment of segments) {
      const entry = this.#entries.get(segment);
      if (!entry) continue;
      entry.hits++;
      entry.lastHitAt = this.#now();
    }
  }

  /**
   * The donor and every one that was computed over it, there or gone; null when nothing is known of it. Of one from
   * before this process, all such donors of its scope may have been.
   */
  lineOf(segment: string): string[] | null {
    const start = this.#entries.get(segment);
    if (!start) return null;
    const related = [segment];
    if (start.isOld) {
      for (const [other, { scope, isOld }] of this.#entries) {
        if (isOld && scope === start.scope) related.push(other);
      }
    }
    return this.#withDescendants(related);
  }

  /** Of these, the ones that are there. */
  touchedBy(segment: string): string[] | null {
    return this.lineOf(segment)?.filter((one) => this.#entries.get(one)?.isThere) ?? null;
  }

  #withDescendants(segments: Iterable<string>): string[] {
    const all = new Set(segments);
    // A set grows while it is walked through.
    for (const one of all) {
      for (const child of this.#entries.get(one)?.children ?? []) all.add(child);
    }
    return [...all];
  }

  #enter(
    segment: string,
    entry: Omit<Entry, 'children' | 'isThere' | 'isPurged' | 'hits' | 'lastHitAt'>,
  ): void {
    this.#entries.set(segment, {
      ...entry,
      children: new Set(),
      isThere: true,
      isPurged: false,
      hits: 0,
      lastHitAt: null,
    });
  }

  /** Nobody needs to know of what is gone and has left nothing behind. */
  #prune(segment: string): void {
    // A list, not recursion: a tenant with one system prompt makes one long chain.
    const waiting = [segment];
    for (const one of waiting) {
      const entry = this.#entries.get(one);
      if (!entry || entry.isThere || entry.isPurged || entry.children.size > 0) continue;
      this.#remove(one, entry);
      waiting.push(...entry.parents);
    }
  }

  #lose(segment: string): void {
    for (const descendant of this.#withDescendants([segment])) {
      this.#entries.get(descendant)!.hasUnknownAncestors = true;
    }
    this.#remove(segment, this.#entries.get(segment)!);
  }

  #remove(segment: string, { parents }: Entry): void {
    this.#entries.delete(segment);
    this.#gone.delete(segment);
    for (const parent of parents) this.#entries.get(parent)?.children.delete(segment);
  }
}
