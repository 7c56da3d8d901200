// The vector match by itself: how often it finds a true donor among its first five, and how often it finds
// something where there is nothing. Every earlier prompt counts as computed exactly here.
import type { Donor } from '../kv/index.ts';
import { DonorIndex, tenantScope } from '../match/index.ts';
import { openSimilar, type Meaning } from '../replay/index.ts';
import type { CalibrationState } from '../similar/index.ts';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/index.ts';
import { percentile } from './statistics.ts';
import type { TraceRequest } from './trace-file.ts';

export interface VectorMatchReport {
  readonly embedder: string;
  /** Requests with donors. */
  readonly requests: number;
  readonly recallAt5: number | null;
  /** Share of the requests without donors for which something is nominated. */
  readonly falseMatches: number | null;
  readonly calibration: CalibrationState;
  readonly searchMs: { readonly p50: number; readonly p99: number };
}

/** The scope with most requests. */
function busiestOf(scopes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const scope of scopes) counts.set(scope, (counts.get(scope) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

export async function measureVectorMatch(
  requests: readonly (TraceRequest & EncodedPrompt)[],
  meaning: Meaning,
  tokenizer: Tokenizer,
  shared: boolean,
): Promise<VectorMatchReport> {
  const similar = openSimilar(meaning, tokenizer);
  const index = new DonorIndex();
  const searchMs: number[] = [];
  const scopes: string[] = [];
  const counts = { withDonors: 0, found: 0, without: 0, nominated: 0 };
  for (const { id, tenant, donors, tokens, t_ms } of requests) {
    const scope = tenantScope(shared ? 'everybody' : tenant, null);
    scopes.push(scope);
    const start = performance.now();
    const prefix = index.prefixLength({ scope, owner: null, target: tokens });
    const query = { scope, target: tokens, prefix, since: -Infinity };
    const { best, nominated } = await similar.search(query);
    searchMs.push(performance.now() - start);
    if (donors.length > 0) {
      counts.withDonors++;
      if (best.some(({ segment }) => donors.includes(segment))) counts.found++;
    } else {
      counts.without++;
      if (nominated.length > 0) counts.nominated++;
    }
    const [exactTokens, promptTokens] = [tokens.length, tokens.length];
    const donor: Donor = {
      ...{ segment: id, scope, owner: null, tokens, exactTokens, promptTokens },
      storedAt: t_ms,
    };
    index.add(donor);
    similar.add(donor);
    await similar.settled();
  }
  const calibration = similar.calibrationOf(busiestOf(scopes));
  await similar.close();
  return {
    embedder: similar.embedder,
    requests: counts.withDonors,
    recallAt5: share(counts.found, counts.withDonors),
    falseMatches: share(counts.nominated, counts.without),
    calibration,
    searchMs: { p50: percentile(searchMs, 0.5), p99: percentile(searchMs, 0.99) },
  };
}
