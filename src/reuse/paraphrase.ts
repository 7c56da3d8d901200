// Policy `semantic`: pieces of passages that say the same in other words. Opt-in and guarded: nothing where a number,
// date, unit, negation, name, code or choice differs, not more than 30 % of the prompt, and what stands in front of
// everything that follows (the seam, sentence ends) is computed fresh as for any moved text.
import { complement, type SimilarPassage, type TokenRange } from '../kv/index.ts';
import { criticalChanges } from '../meaning/index.ts';
import { alignParaphrase } from './align-paraphrase.ts';
import { targetEnd, type Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { endsBlock } from './token-classes.ts';

/** Passages that are less alike are no paraphrase, whatever the route says. */
const LEAST_SIMILARITY = 0.92;
/** Imported tokens that differ from the donor's / prompt tokens. */
const MAX_UNEQUAL = 0.3;
/** Attention gathers on the first positions of a context; their KV fits nowhere else. */
const SINK_TOKENS = 4;

/** Whether the edit leaves the meaning alone, and the marks of the template too. */
function isHarmless({ donor, source, target: passage }: SimilarPassage, input: PlanInput): boolean {
  const before = input.readText(donor.tokens, source.start, source.end);
  const after = input.readText(input.target, passage.start, passage.end);
  return criticalChanges(before, after).length === 0;
}

/** Whether the token may be taken for the donor's: line ends and marks only for the same. */
function mayStandFor(input: PlanInput, donorToken: number, targetToken: number): boolean {
  if (donorToken === targetToken) return true;
  const { tokenClasses: classes } = input;
  return !endsBlock(classes, donorToken) && !endsBlock(classes, targetToken);
}

/** Consecutive tokens on one diagonal, inside `open`. */
function piecesOf(
  found: SimilarPassage,
  places: Int32Array,
  open: readonly TokenRange[],
  input: PlanInput,
): Piece[] {
  const { donor, target: passage } = found;
  const pieces: Piece[] = [];
  for (const { start, end } of open) {
    for (let at = start; at < end; at++) {
      const donorStart = places[at - passage.start]!;
      const usable =
        donorStart >= SINK_TOKENS &&
        mayStandFor(input, donor.tokens[donorStart]!, input.target[at]!);
      if (!usable) continue;
      const last = pieces.at(-1);
      const goesOn = last && targetEnd(last) === at && last.donorStart + last.length === donorStart;
      if (goesOn) pieces[pieces.length - 1] = { ...last, length: last.length + 1 };
      else {
        pieces.push({ donor, donorStart, targetStart: at, length: 1, exact: false, passage });
      }
    }
  }
  return pieces;
}

function countUnequal(pieces: readonly Piece[], target: Int32Array): number {
  let unequal = 0;
  for (const { donor, donorStart, targetStart, length } of pieces) {
    for (let i = 0; i < length; i++) {
      if (donor.tokens[donorStart + i] !== target[targetStart + i]) unequal++;
    }
  }
  return unequal;
}

/** Pieces inside the window that `chosen` leaves open, by target position. */
export function paraphrasePieces(
  input: PlanInput,
  chosen: readonly Piece[],
  window: TokenRange,
): Piece[] {
  const { candidates, target, options } = input;
  const least = Math.max(LEAST_SIMILARITY, options.minSimilarity);
  const taken = chosen.map((piece) => ({ start: piece.targetStart, end: targetEnd(piece) }));
  const free = complement(window, taken);
  const pieces: Piece[] = [];
  let unequal = 0;
  let reached = window.start;
  const passages = [...candidates.passages].sort((a, b) => a.target.start - b.target.start);
  for (const found of passages) {
    const { target: passage, similarity, donor, source } = found;
    if (similarity < least || passage.start < reached || !isHarmless(found, input)) continue;
    const places = alignParaphrase(donor.tokens, source, target, passage);
    const open = free
      .map(({ start, end }) => ({
        start: Math.max(start, passage.start),
        end: Math.min(end, passage.end),
      }))
      .filter(({ start, end }) => end > start);
    const more = places ? piecesOf(found, places, open, input) : [];
    const added = countUnequal(more, target);
    if (unequal + added > MAX_UNEQUAL * target.length) continue;
    unequal += added;
    if (more.length > 0) reached = passage.end;
    pieces.push(...more);
  }
  return pieces;
}
