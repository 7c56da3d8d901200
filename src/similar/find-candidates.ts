// Everything that stored prompts can offer to a target: the exact prefix, the equal runs, and, where vectors are
// at hand, which prompts resemble it. Vectors only add to what tokens find: when they fail or take too long,
// the rest goes on without them.
import type { Candidates, Donor } from '../kv/index.ts';
import type { DonorIndex, DonorQuery } from '../match/index.ts';
import type { SimilarMatch, SimilarPrompts } from './similar-prompts.ts';

export interface CandidateQuery extends Omit<DonorQuery, 'nominated'> {
  /** Shortest run that counts, tokens. */
  readonly minRun: number;
}

/** Longest time that a look-up waits for vectors. */
const BUDGET_MS = 50;

async function searchInTime(
  similar: SimilarPrompts,
  query: CandidateQuery,
  prefix: number,
): Promise<SimilarMatch | null> {
  const { scope, target, since = -Infinity } = query;
  try {
    const signal = AbortSignal.timeout(BUDGET_MS);
    return await similar.search({ scope, target, prefix, since }, signal);
  } catch (error) {
    similar.reportFailure(error);
    return null;
  }
}

/** What runs and prefix found, with what vectors know of the same donors. */
export async function findCandidates(
  index: DonorIndex,
  similar: SimilarPrompts | null,
  query: CandidateQuery,
): Promise<Candidates> {
  const { target, minRun } = query;
  const prefix = similar ? index.prefixLength(query) : 0;
  // A look-up that can never pay is not made: what is left is shorter than any run.
  const match =
    similar && target.length - prefix > minRun ? await searchInTime(similar, query, prefix) : null;
  const found = index.candidates({ ...query, nominated: match?.nominated ?? [] }, minRun);
  if (!match) return found;
  const donors = new Set<Donor>([...match.nominated, ...found.runs.map(({ donor }) => donor)]);
  if (found.exactPrefix) donors.add(found.exactPrefix.donor);
  const similarity = new Map<Donor, number>();
  for (const donor of donors) {
    const value = match.similarityTo(donor);
    if (value !== null) similarity.set(donor, value);
  }
  return { ...found, similarity, passages: match.passages };
}
