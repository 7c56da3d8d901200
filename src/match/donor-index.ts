// Stored prompts by scope. Each scope has indexes of its own: a look-up cannot even see the donors of
// another scope, so nothing depends on a filter behind the search.
import { noCandidates, type Candidates, type Donor, type PrefixMatch } from '../kv/index.ts';
import { commonPrefix, PrefixIndex } from './prefix-index.ts';
import { RunIndex } from './run-index.ts';

export interface DonorQuery {
  readonly scope: string;
  readonly owner: string | null;
  readonly target: Int32Array;
  /** Only donors stored at this time or later. */
  readonly since?: number;
  /** Donors that resemble the target: aligned with it in full. */
  readonly nominated?: readonly Donor[];
  /** The settings that the target is planned with: whose approximate beginnings it may go on from. */
  readonly recipe?: string | null;
}

/** Of one owner the newest prompts are looked at: conversations go on soon, or not at all. */
const MAX_OWNED = 64;

const isPutTogether = (donor: Donor): donor is Donor & { readonly recipe: string } =>
  typeof donor.recipe === 'string' && donor.exactTokens < donor.promptTokens;

class ScopeIndex {
  readonly prefixes = new PrefixIndex(({ exactTokens }) => exactTokens);
  /** Prompts that are not exact to their end, by recipe. */
  readonly #beginnings = new Map<string, PrefixIndex>();
  readonly runs = new RunIndex();
  readonly byOwner = new Map<string, Set<Donor>>();
  size = 0;

  add(donor: Donor): void {
    this.size++;
    this.prefixes.add(donor);
    this.runs.add(donor);
    if (isPutTogether(donor)) this.#beginningsOf(donor.recipe).add(donor);
    if (donor.owner === null) return;
    const owned = this.byOwner.get(donor.owner);
    if (!owned) {
      this.byOwner.set(donor.owner, new Set([donor]));
      return;
    }
    owned.add(donor);
    const [oldest] = owned;
    if (owned.size > MAX_OWNED) owned.delete(oldest!);
  }

  remove(donor: Donor): void {
    this.size--;
    this.prefixes.remove(donor);
    this.runs.remove(donor);
    if (isPutTogether(donor)) this.#forgetBeginning(donor);
    if (donor.owner === null) return;
    const owned = this.byOwner.get(donor.owner);
    owned?.delete(donor);
    if (owned?.size === 0) this.byOwner.delete(donor.owner);
  }

  get entries(): number {
    let entries = this.prefixes.entries + this.runs.entries;
    for (const index of this.#beginnings.values()) entries += index.entries;
    return entries;
  }

  approximatePrefix(
    recipe: string | null,
    target: Int32Array,
    accept: (donor: Donor) => boolean,
  ): PrefixMatch | null {
    if (recipe === null) return null;
    return this.#beginnings.get(recipe)?.longest(target, accept) ?? null;
  }

  /** The owner's earlier prompt that this one goes on from, with the longest common part. */
  continuation(
    owner: string | null,
    target: Int32Array,
    accept: (donor: Donor) => boolean,
  ): PrefixMatch | null {
    const owned = owner === null ? undefined : this.byOwner.get(owner);
    let best: PrefixMatch | null = null;
    for (const donor of owned ?? []) {
      if (donor.promptTokens >= target.length || !accept(donor)) continue;
      const length = commonPrefix(target, donor.tokens, target.length - 1);
      if (length < donor.promptTokens) continue;
      if (length >= (best?.length ?? 0)) best = { donor, length };
    }
    return best;
  }

  #forgetBeginning(donor: Donor & { readonly recipe: string }): void {
    const index = this.#beginningsOf(donor.recipe);
    index.remove(donor);
    if (index.entries === 0) this.#beginnings.delete(donor.recipe);
  }

  #beginningsOf(recipe: string): PrefixIndex {
    let index = this.#beginnings.get(recipe);
    if (!index) {
      index = new PrefixIndex(({ promptTokens }) => promptTokens);
      this.#beginnings.set(recipe, index);
    }
    return index;
  }
}

export class DonorIndex {
  readonly #scopes = new Map<string, ScopeIndex>();
  readonly #donors = new Map<string, Donor>();

  get size(): number {
    return this.#donors.size;
  }

  /** Of all scopes. */
  donors(): IterableIterator<Donor> {
    return this.#donors.values();
  }

  get(segment: string): Donor | undefined {
    return this.#donors.get(segment);
  }

  /** A segment that is announced again (with more tokens) replaces the earlier entry. */
  add(donor: Donor): void {
    this.remove(donor.segment);
    let scope = this.#scopes.get(donor.scope);
    if (!scope) this.#scopes.set(donor.scope, (scope = new ScopeIndex()));
    scope.add(donor);
    this.#donors.set(donor.segment, donor);
  }

  /** False when the segment is not known. */
  remove(segment: string): boolean {
    const donor = this.#donors.get(segment);
    if (!donor) return false;
    const scope = this.#scopes.get(donor.scope);
    scope?.remove(donor);
    if (scope?.size === 0) this.#scopes.delete(donor.scope);
    return this.#donors.delete(segment);
  }

  clear(): void {
    this.#scopes.clear();
    this.#donors.clear();
  }

  /** Tokens that the longest exact prefix serves. */
  prefixLength({ scope, target, since = -Infinity }: DonorQuery): number {
    const prefixes = this.#scopes.get(scope)?.prefixes;
    return prefixes?.longest(target, (donor) => donor.storedAt >= since)?.length ?? 0;
  }

  candidates(query: DonorQuery, minRun: number): Candidates {
    const { scope, owner, target, since = -Infinity, recipe = null } = query;
    const index = this.#scopes.get(scope);
    if (!index) return noCandidates;
    const accept = (donor: Donor): boolean => donor.storedAt >= since;
    const exactPrefix = index.prefixes.longest(target, accept);
    const from = exactPrefix?.length ?? 0;
    const approximate = index.approximatePrefix(recipe, target, accept);
    const { nominated = [] } = query;
    const aligned = exactPrefix ? [...nominated, exactPrefix.donor] : nominated;
    const runs = index.runs.find({ target, minRun, from, nominated: aligned });
    return {
      exactPrefix,
      continuation: index.continuation(owner, target, accept),
      approximatePrefix: approximate && approximate.length > from ? approximate : null,
      runs: runs.filter((run) => accept(run.donor)),
      nominated,
      similarity: new Map(),
      passages: [],
    };
  }

  /** Entries of all indexes per stored donor token, for the memory report. */
  stats(): { donors: number; scopes: number; tokens: number; entries: number } {
    let entries = 0;
    let tokens = 0;
    for (const scope of this.#scopes.values()) entries += scope.entries;
    for (const donor of this.#donors.values()) tokens += donor.tokens.length;
    return { donors: this.#donors.size, scopes: this.#scopes.size, tokens, entries };
  }
}
