// What an operator can do to a runner's store, beside what requests do to it. Optional: a runner that has it says so
// in its capabilities; of any other the sidecar can only forget donors.

/** Where the slowest part of a context's KV is. */
export type StoreTier = 'live' | 'host' | 'disk';

export interface StoredReport {
  readonly segment: string;
  readonly tier: StoreTier;
  /** Null = may be evicted at any time. */
  readonly pinnedForMs: number | null;
}

export interface StoreControl {
  list(): Promise<readonly StoredReport[]>;
  /** Deletes contexts in every tier; the names of those that were there. Resolves when their files are gone. */
  remove(segments: readonly string[]): Promise<readonly string[]>;
  /**
   * Keeps contexts from being evicted for so long; the names of those that are there. Throws `pin_refused`, and pins
   * none, when pins would hold more than half of what a store, or a scope in it, may have.
   */
  pin(segments: readonly string[], ms: number): Promise<readonly string[]>;
  /** The names of those that were pinned. */
  unpin(segments: readonly string[]): Promise<readonly string[]>;
}
