// Donors of the passages that are most like a target's. A passage that is stored is its own nearest neighbour, so only
// text that no prompt has is searched for.
import type { Donor, TokenRange } from '../kv/index.ts';
import type { Passage, PassageTable, Weighted } from './passage-table.ts';

export interface TargetPassage extends Weighted {
  readonly range: TokenRange;
  /** The same text in stored prompts; null where no prompt has it. */
  readonly stored: Passage | null;
}

type Near = readonly [Passage, similarity: number];

const NEIGHBOURS = 8;
/** Newest donors of a passage that are considered. */
const NEWEST = 16;
/** Donors that are compared in full. */
const COMPARED = 24;
/** The weightiest passages that are not stored are searched for. */
const SEARCHED = 6;
const SEARCH_BUDGET_MS = 20;

/** The weightiest first. */
function toSearch(target: readonly TargetPassage[]): TargetPassage[] {
  const unknown = target.filter(({ stored }) => !stored);
  return unknown.sort((a, b) => b.weight - a.weight).slice(0, SEARCHED);
}

async function search(table: PassageTable, passages: readonly TargetPassage[]): Promise<Near[][]> {
  const vectors = passages.map(({ vector }) => vector);
  const found = await table.vectors.searchAll(vectors, NEIGHBOURS, SEARCH_BUDGET_MS);
  return found.map((neighbours) =>
    neighbours.flatMap(({ label, similarity }) => {
      const passage = table.byLabel(label);
      return passage ? [[passage, similarity] as const] : [];
    }),
  );
}

/** Most alike first, at most 24. */
export async function nearestDonors(
  table: PassageTable,
  target: readonly TargetPassage[],
): Promise<Donor[]> {
  const scores = new Map<Donor, number>();
  const credit = (weight: number, near: readonly Near[]): void => {
    const best = new Map<Donor, number>();
    for (const [{ donors }, similarity] of near) {
      for (const donor of donors.slice(-NEWEST).reverse()) {
        if (!best.has(donor)) best.set(donor, similarity);
      }
    }
    for (const [donor, similarity] of best) {
      scores.set(donor, (scores.get(donor) ?? 0) + weight * similarity);
    }
  };
  const searched = toSearch(target);
  const found = await search(table, searched);
  for (const { stored, weight } of target) if (stored) credit(weight, [[stored, 1]]);
  found.forEach((near, i) => credit(searched[i]!.weight, near));
  const ranked = [...scores].sort(([, a], [, b]) => b - a).slice(0, COMPARED);
  return ranked.map(([donor]) => donor);
}
