// Semantic matching (KVShare, arXiv 2503.16525 §4.1): which stored prompts resemble a new one. It nominates, and
// says how alike; equal tokens decide. One table of passages a scope, one vector index a table.
import type { Donor, SimilarPassage, TokenRange } from '../kv/index.ts';
import type { Embedder } from '../embed/index.ts';
import type { VectorIndexes } from '../vectors/index.ts';
import { Comparison } from './comparison.ts';
import { Calibration, type CalibrationState } from './calibration.ts';
import { nearestDonors, type TargetPassage } from './nearest-donors.ts';
import { PassageTable } from './passage-table.ts';
import { cutPassages, passageKey, type TokenClasses } from './passages.ts';
import { PassageVectors, type VectorStore } from './passage-vectors.ts';
import { withinTime } from './within-time.ts';
import { cosine, promptSimilarity, sharePassage } from './prompt-similarity.ts';

export interface SimilarPromptsOptions {
  readonly embedder: Embedder;
  readonly vectors: VectorIndexes;
  /** Vectors of an earlier process. */
  readonly store?: VectorStore;
  readonly tokenClasses: TokenClasses;
  /** Text of tokens[start, end). */
  readonly readText: (tokens: Int32Array, start: number, end: number) => string;
  /** A donor that could not be embedded is not nominated; nothing else happens. */
  readonly onFailure: (error: unknown) => void;
}

export interface SimilarQuery {
  readonly scope: string;
  readonly target: Int32Array;
  /** Tokens that an exact prefix serves: their passages are known, nothing there is embedded. */
  readonly prefix: number;
  /** Only donors stored at this time or later. */
  readonly since: number;
}

export interface SimilarMatch {
  /** The five donors that cover most of the target. */
  readonly best: readonly Donor[];
  /** Those of them whose prompts are more alike than unrelated ones are. */
  readonly nominated: readonly Donor[];
  /** Cosine of the prompts; null for a donor that is not known (yet). */
  readonly similarityTo: (donor: Donor) => number | null;
  /** Pairs of passages of nominated donors that say nearly the same. */
  readonly paraphrases: () => readonly SimilarPassage[];
}

const NOMINATED = 5;
/** Passages that are less alike are no paraphrase (design: policy `semantic`). */
const PARAPHRASE = 0.92;
/** An embedder that needs longer for one donor does not get to see it. */
const ADD_MS = 10_000;

const nothing: SimilarMatch = {
  best: [],
  nominated: [],
  similarityTo: () => null,
  paraphrases: () => [],
};

export class SimilarPrompts {
  readonly #options: SimilarPromptsOptions;
  readonly #vectors: PassageVectors;
  readonly #tables = new Map<string, PassageTable>();
  /** Donors that are known, whether or not their passages have been embedded yet. */
  readonly #known = new Set<Donor>();
  readonly #stop = new AbortController();
  #adding: Promise<void> = Promise.resolve();

  constructor(options: SimilarPromptsOptions) {
    this.#options = options;
    this.#vectors = new PassageVectors(options.embedder, options.store ?? null);
  }

  /** What counts as alike in a scope, by its own prompts and nobody else's. */
  calibrationOf(scope: string): CalibrationState {
    const table = this.#tables.get(scope);
    return (table?.calibration ?? this.#freshCalibration()).state(table?.size ?? 0);
  }

  get embedder(): string {
    return this.#options.embedder.fingerprint;
  }

  /** Known at once, found as soon as its passages are embedded. */
  add(donor: Donor): void {
    this.#known.add(donor);
    this.#adding = this.#adding
      .then(() => this.#embedAndAdd(donor))
      .catch((error: unknown) => {
        this.#known.delete(donor);
        if (!this.#stop.signal.aborted) this.#options.onFailure(error);
      });
  }

  remove(donor: Donor): void {
    this.#known.delete(donor);
    const table = this.#tables.get(donor.scope);
    table?.remove(donor);
    if (table?.size !== 0) return;
    table.vectors.close();
    this.#tables.delete(donor.scope);
  }

  /** Vectors that were kept for later, of these scopes (null = of any), are gone; those of donors here still find them. */
  forget(scopes: Iterable<string> | null): Promise<void> {
    return this.#vectors.forget(scopes);
  }

  clear(): void {
    this.#known.clear();
    for (const table of this.#tables.values()) table.vectors.close();
    this.#tables.clear();
  }

  /** Resolves when everything that was added can be found. */
  async settled(): Promise<void> {
    await this.#adding;
  }

  /** Embedder and vector indexes belong to whoever opened them. */
  async close(): Promise<void> {
    this.clear();
    this.#stop.abort();
    await this.#adding;
  }

  reportFailure(error: unknown): void {
    this.#options.onFailure(error);
  }

  /** `lag`: vectors that are only found by comparison so far; `bytes` of the vectors, here and in their process. */
  stats(): { donors: number; passages: number; bytes: number; lag: number } {
    const total = { donors: 0, passages: 0, bytes: 0, lag: 0 };
    for (const table of this.#tables.values()) {
      total.donors += table.size;
      total.passages += table.numPassages;
      total.bytes += table.vectors.bytes;
      total.lag += table.vectors.lag;
    }
    return total;
  }

  /** Rejects when the embedder fails, or with the signal's reason when it is still at work then. */
  async search(query: SimilarQuery, signal?: AbortSignal): Promise<SimilarMatch> {
    const table = this.#tables.get(query.scope);
    if (!table) return nothing;
    const target = await this.#passagesOf(table, query, signal ?? this.#stop.signal);
    const hits = await nearestDonors(table, target);
    const comparison = new Comparison(table, target);
    const accepted = (donor: Donor): boolean => donor.storedAt >= query.since && table.has(donor);
    const ranked = hits
      .filter(accepted)
      .map((donor) => ({ donor, covered: comparison.coverage(donor) }))
      .sort((a, b) => b.covered - a.covered)
      .map(({ donor }) => donor);
    const threshold = table.calibration.threshold(table.size);
    const similarityTo = (donor: Donor): number | null => comparison.similarityTo(donor);
    const best = ranked.slice(0, NOMINATED);
    const nominated = best.filter((donor) => similarityTo(donor)! >= threshold);
    const paraphrases = (): SimilarPassage[] =>
      nominated.flatMap((donor) => this.#paraphrases(table, target, donor));
    return { best, nominated, similarityTo, paraphrases };
  }

  async #embedAndAdd(donor: Donor): Promise<void> {
    if (!this.#known.has(donor)) return;
    const ranges = this.#rangesOf(donor);
    const keys = ranges.map((range) => passageKey(donor.tokens, range));
    const known = this.#tables.get(donor.scope);
    const fresh = ranges.filter((_, i) => !known?.get(keys[i]!));
    const vectors = await withinTime(ADD_MS, this.#stop.signal, (signal) =>
      this.#embed(donor, fresh, signal),
    );
    // It may have been evicted meanwhile.
    if (!this.#known.has(donor)) return;
    const table = this.#tableOf(donor.scope);
    const passages = ranges.map(({ start, end }, i) => ({ key: keys[i]!, tokens: end - start }));
    table.add(donor, passages, (key) => vectors.get(key) ?? null);
    this.#calibrate(table, donor);
  }

  /** Passages whose KV can serve another prompt. */
  #rangesOf({ tokens, exactTokens, promptTokens }: Donor): TokenRange[] {
    const usable = tokens.subarray(0, Math.min(exactTokens, promptTokens));
    return cutPassages(usable, this.#options.tokenClasses);
  }

  #freshCalibration(): Calibration {
    return new Calibration(this.#options.embedder.defaultThreshold);
  }

  #tableOf(scope: string): PassageTable {
    let table = this.#tables.get(scope);
    if (!table) {
      table = new PassageTable(this.#options.vectors.open(), this.#freshCalibration());
      this.#tables.set(scope, table);
    }
    return table;
  }

  async #embed(
    { scope, tokens }: { readonly scope: string; readonly tokens: Int32Array },
    ranges: readonly TokenRange[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Float32Array | null>> {
    const { readText } = this.#options;
    const texts = ranges.map((range) => ({
      key: passageKey(tokens, range),
      text: () => readText(tokens, range.start, range.end),
    }));
    return this.#vectors.of(scope, texts, signal);
  }

  /** The target's passages with vectors; what the exact prefix serves is never embedded. */
  async #passagesOf(
    table: PassageTable,
    query: SimilarQuery,
    signal: AbortSignal,
  ): Promise<TargetPassage[]> {
    const { target, prefix } = query;
    const found = cutPassages(target, this.#options.tokenClasses).map((range) => {
      return { range, passage: table.get(passageKey(target, range)) };
    });
    const unknown = found.filter(({ range, passage }) => !passage && range.end > prefix);
    const vectors = await this.#embed(
      { scope: query.scope, tokens: target },
      unknown.map(({ range }) => range),
      signal,
    );
    return found.flatMap(({ range, passage }) => {
      const vector = passage
        ? table.vectorOf(passage)
        : (vectors.get(passageKey(target, range)) ?? null);
      const rarity = table.rarity(passage);
      if (!vector) return [];
      const weight = (range.end - range.start) * rarity;
      // Where all that have it are too old, it is searched for like new text.
      const young = passage?.donors.findLast(({ storedAt }) => storedAt >= query.since);
      return [{ range, stored: young ? passage! : null, vector, weight, rarity }];
    });
  }

  #paraphrases(
    table: PassageTable,
    target: readonly TargetPassage[],
    donor: Donor,
  ): SimilarPassage[] {
    const sources = this.#rangesOf(donor).flatMap((source) => {
      const passage = table.get(passageKey(donor.tokens, source));
      const vector = passage && table.vectorOf(passage);
      return vector ? [{ source, vector }] : [];
    });
    return target.flatMap(({ range, vector }) => {
      const [best] = sources
        .map((source) => ({ ...source, similarity: cosine(vector, source.vector) }))
        .sort((a, b) => b.similarity - a.similarity);
      if (!best || best.similarity < PARAPHRASE) return [];
      return [{ donor, source: best.source, target: range, similarity: best.similarity }];
    });
  }

  /** One pair of unrelated prompts for each new donor: it and an earlier one. */
  #calibrate(table: PassageTable, donor: Donor): void {
    const other = table.anotherThan(donor);
    if (!other) return;
    const [a, b] = [table.weightedOf(donor), table.weightedOf(other)];
    if (!sharePassage(a, b, PARAPHRASE)) table.calibration.record(promptSimilarity(a, b));
  }
}
