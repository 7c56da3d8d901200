// What the index finds and the planner consumes: donors and the token runs they share with a target.
import type { TokenRange } from './token-range.ts';

export interface Donor {
  readonly segment: string;
  readonly scope: string;
  readonly owner: string | null;
  readonly tokens: Int32Array;
  readonly exactTokens: number;
  readonly promptTokens: number;
  /** Monotonic milliseconds; -Infinity = before we can remember. */
  readonly storedAt: number;
  /** The settings by which its approximate part was put together, all of it; absent = not known. */
  readonly recipe?: string | null;
  /** Where the last import of its prompt ended: what was judged good enough is that whole. */
  readonly importedTo?: number;
}

/** target[targetStart + i] === donor.tokens[donorStart + i] for 0 <= i < length, inside the donor's exact part. */
export interface EqualRun {
  readonly donor: Donor;
  readonly donorStart: number;
  readonly targetStart: number;
  readonly length: number;
}

export interface PrefixMatch {
  readonly donor: Donor;
  readonly length: number;
}

/** Two passages that say nearly the same in other words. */
export interface SimilarPassage {
  readonly donor: Donor;
  /** Where it stands in the donor, inside its exact part. */
  readonly source: TokenRange;
  readonly target: TokenRange;
  /** Cosine, 0..1. */
  readonly similarity: number;
}

export interface Candidates {
  /** Longest common prefix with exactly computed KV. */
  readonly exactPrefix: PrefixMatch | null;
  /** An earlier prompt of the same owner that this one extends (approximate KV allowed). */
  readonly continuation: PrefixMatch | null;
  /** The longest common beginning with any prompt that was put together by the same settings, where it is longer than the exact one. */
  readonly approximatePrefix: PrefixMatch | null;
  /**
   * Maximal equal runs with at least minRun tokens beyond the exact prefix; newest donor first, then by
   * target position, so that the first of several equally good runs is the most recent.
   */
  readonly runs: readonly EqualRun[];
  /** Donors that resemble the target, the one that covers most of it first. */
  readonly nominated: readonly Donor[];
  /** Similarity of a donor's text to the target's, 0..1, where it is known. */
  readonly similarity: ReadonlyMap<Donor, number>;
  /** Of the donors that resemble the target most, by target position. */
  readonly passages: readonly SimilarPassage[];
}

/** Where nothing is stored, or nothing of it is of use. */
export const noCandidates: Candidates = {
  exactPrefix: null,
  continuation: null,
  approximatePrefix: null,
  runs: [],
  nominated: [],
  similarity: new Map(),
  passages: [],
};
