// Everything that stored prompts can offer to a target: the exact prefix, the equal runs, and, where vectors are
// at hand, which prompts resemble it. Vectors only add to what tokens find: when they fail or take too long,
// the rest goes on without them.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Candidates, Donor } from '../kv/index.ts';
import type { DonorIndex, DonorQuery } from '../match/index.ts';
import type { SimilarMatch, SimilarPrompts } from './similar-prompts.ts';

export interface CandidateQuery extends Omit<DonorQuery, 'nominated'> {
  /** Shortest run that counts, tokens. */
  readonly minRun: number;
  /** Whether passages that only say nearly the same are of use. */
  readonly paraphrases: boolean;
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
  if (!similar || target.length - prefix <= minRun) return index.candidates(query, minRun);
  const searching = searchInTime(similar, query, prefix);
  // The graph process is asked by then; equal runs are looked for while it searches.
  await nextTurn();
  let found = index.candidates(query, minRun);
  const match = await searching;
  if (!match) return found;
  const { nominated } = match;
  const donors = new Set<Donor>([...nominated, ...found.runs.map(({ donor }) => donor)]);
  const known = new Set(found.runs.map(({ donor }) => donor));
  if (nominated.some((donor) => !known.has(donor))) {
    found = index.candidates({ ...query, nominated }, minRun);
    for (const { donor } of found.runs) donors.add(donor);
  }
  for (const beginning of [found.exactPrefix, found.approximatePrefix]) {
    if (beginning) donors.add(beginning.donor);
  }
  const similarity = new Map<Donor, number>();
  for (const donor of donors) {
    const value = match.similarityTo(donor);
    if (value !== null) similarity.set(donor, value);
  }
  return {
    ...found,
    nominated,
    similarity,
    passages: query.paraphrases ? match.paraphrases() : [],
  };
}
