// How far behind a change the imported text must be computed again. Two kinds of change:
//
//   edit inside a block    "… give 5 mg|8 mg every hour. Then …"   to the end of the block, 32 to 64 tokens:
//                          what follows was written with the old value in mind
//   shift between blocks   "card A|card B ¶ guideline …"           the seam (16 tokens), and the rest of a
//                          block that the change reaches into
//
// Another text in the place of most of a block (card A's line for card B's) is a shift: one block went, one came.
import type { ReuseOptions } from './options.ts';
import { donorEnd, targetEnd, type Piece } from './piece.ts';
import { endsBlock, type TokenClasses } from './token-classes.ts';

export interface ChangeContext {
  readonly target: Int32Array;
  readonly classes: TokenClasses;
  readonly options: Pick<ReuseOptions, 'seam' | 'closure'>;
}

function hasBlockEnd(tokens: Int32Array, start: number, end: number, classes: TokenClasses) {
  for (let at = start; at < end; at++) if (endsBlock(classes, tokens[at]!)) return true;
  return false;
}

/**
 * No block ends inside what changed, on either side. What stood in the place of the gap is known only when
 * both neighbours come from one donor, in order; otherwise new tokens in front of a run that goes on in the
 * middle of its block count as an edit too.
 */
function isEditInBlock(before: Piece | null, piece: Piece, context: ChangeContext): boolean {
  if (!before) return false;
  const { target, classes } = context;
  const gap = [targetEnd(before), piece.targetStart] as const;
  if (hasBlockEnd(target, ...gap, classes)) return false;
  const inserted = gap[1] > gap[0];
  const donorGap = [donorEnd(before), piece.donorStart] as const;
  if (before.donor !== piece.donor || donorGap[1] < donorGap[0]) {
    return inserted && !startsBlock(piece, context);
  }
  const removed = donorGap[1] > donorGap[0];
  return (inserted || removed) && !hasBlockEnd(piece.donor.tokens, ...donorGap, classes);
}

/** Fewer changed tokens than this are an edit, however short their line is. */
const REPLACED_TOKENS = 8;

/** Whether what changed is the greater part of its block. */
function replacesBlock(before: Piece | null, piece: Piece, context: ChangeContext): boolean {
  const { target, classes } = context;
  const changedFrom = before ? targetEnd(before) : 0;
  let start = changedFrom;
  while (start > 0 && !endsBlock(classes, target[start - 1]!)) start--;
  const changed = piece.targetStart - changedFrom;
  return changed >= REPLACED_TOKENS && changed * 2 >= blockEnd(piece, context) - start;
}

function startsBlock(piece: Piece, { target, classes }: ChangeContext): boolean {
  const { targetStart, donorStart, donor } = piece;
  const targetFresh = targetStart === 0 || endsBlock(classes, target[targetStart - 1]!);
  const donorFresh = donorStart === 0 || endsBlock(classes, donor.tokens[donorStart - 1]!);
  return targetFresh && donorFresh;
}

function blockEnd(piece: Piece, { target, classes }: ChangeContext): number {
  const end = targetEnd(piece);
  for (let at = piece.targetStart; at < end; at++) {
    if (endsBlock(classes, target[at]!)) return at + 1;
  }
  return end;
}

export interface Refresh {
  readonly end: number;
  readonly reason: 'seam' | 'closure';
}

/** From the start of `piece` to `end` everything is recomputed; `before` is its left neighbour. */
export function refreshAfterChange(
  before: Piece | null,
  piece: Piece,
  context: ChangeContext,
): Refresh {
  const { seam, closure } = context.options;
  const start = piece.targetStart;
  const toBlockEnd = Math.min(blockEnd(piece, context), start + closure.max);
  const limit = (end: number): number => Math.min(end, targetEnd(piece));
  if (isEditInBlock(before, piece, context) && !replacesBlock(before, piece, context)) {
    return {
      end: limit(Math.max(toBlockEnd, start + closure.min, start + seam)),
      reason: 'closure',
    };
  }
  const end = startsBlock(piece, context) ? start + seam : Math.max(toBlockEnd, start + seam);
  return { end: limit(end), reason: 'seam' };
}
