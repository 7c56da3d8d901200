// How far behind a change the imported text must be computed again. What the change is shows in the block
// around the start of a piece, in the target and in the donor:
//
//   moved      "¶ guideline …"             the block is the same on both sides: the seam (16 tokens)
//   edited     "give 5 mg|8 mg hourly. …"  the text on its left is the same: to the end of the block, 32 to 64
//                                          tokens, for what follows was written with the old value in mind
//   replaced   "card A|card B ¶ …"         another text: most of the block went, or it got another label in
//              "[2]|[5] guideline …"       another place: the rest of the block, and the seam
//
// Only the tokens beside the piece count, not what serves them: a plan cannot get rid of a closure by taking
// its neighbour from another donor, or from none.
import type { ReuseOptions } from './options.ts';
import { targetEnd, type Piece } from './piece.ts';
import { endsBlock, type TokenClasses } from './token-classes.ts';

export interface ChangeContext {
  readonly target: Int32Array;
  readonly classes: TokenClasses;
  readonly options: Pick<ReuseOptions, 'seam' | 'closure'>;
}

export interface Refresh {
  /** From the start of the piece to here everything is recomputed. */
  readonly end: number;
  readonly reason: 'seam' | 'closure';
}

/** Equal tokens at a block's end often count as the start of the run behind it. */
export const BLOCK_TAIL = 4;
/** Fewer changed tokens than this are an edit, however short their line is. */
const REPLACED_TOKENS = 8;
/** Equal tokens on the left of a change that make it an edit of that text. */
const CONTEXT_TOKENS = 8;

function blockStart(tokens: Int32Array, at: number, classes: TokenClasses): number {
  let start = at;
  while (start > 0 && !endsBlock(classes, tokens[start - 1]!)) start--;
  return start;
}

/** The position behind the next block end, at most `limit`. */
function blockEnd(tokens: Int32Array, at: number, limit: number, classes: TokenClasses): number {
  for (let end = at; end < limit; end++) if (endsBlock(classes, tokens[end]!)) return end + 1;
  return limit;
}

interface BlockChange {
  readonly kind: 'moved' | 'edited' | 'replaced';
  /** Equal tokens between the change and the piece. */
  readonly distance: number;
}

/** Whether enough tokens are equal to the left of the two positions. */
function hasSameContext(target: Int32Array, at: number, donor: Int32Array, from: number): boolean {
  const [reach, old] = [Math.min(CONTEXT_TOKENS, at), Math.min(CONTEXT_TOKENS, from)];
  if (reach !== old) return false;
  for (let i = 1; i <= reach; i++) if (target[at - i] !== donor[from - i]) return false;
  return true;
}

/** What changed in the block around the start of `piece`, between its own start and the piece. */
function changeBefore(piece: Piece, { target, classes }: ChangeContext): BlockChange {
  const { targetStart, donorStart } = piece;
  const donor = piece.donor.tokens;
  const inTarget = blockStart(target, targetStart, classes);
  const inDonor = blockStart(donor, donorStart, classes);
  const [before, old] = [targetStart - inTarget, donorStart - inDonor];
  const shorter = Math.min(before, old);
  let common = 0;
  while (common < shorter && target[inTarget + common] === donor[inDonor + common]) common++;
  let distance = 0;
  while (
    distance < shorter - common &&
    target[targetStart - 1 - distance] === donor[donorStart - 1 - distance]
  ) {
    distance++;
  }
  const inserted = before - common - distance;
  const removed = old - common - distance;
  if (inserted === 0 && removed === 0) return { kind: 'moved', distance };
  const isMost = (changed: number, block: number): boolean =>
    changed >= REPLACED_TOKENS && changed * 2 >= block;
  const rest = blockEnd(target, targetStart, targetEnd(piece), classes) - targetStart;
  const replaced =
    isMost(inserted, before + rest) ||
    isMost(removed, old + rest) ||
    !hasSameContext(target, inTarget + common, donor, inDonor + common);
  return { kind: replaced ? 'replaced' : 'edited', distance };
}

/** Where the seam begins: the last tokens of a block (". ¶") are not yet the text that moved. */
function seamStart(piece: Piece, { target, classes }: ChangeContext): number {
  const limit = Math.min(piece.targetStart + BLOCK_TAIL, targetEnd(piece));
  const end = blockEnd(target, piece.targetStart, limit, classes);
  return endsBlock(classes, target[end - 1]!) ? end : piece.targetStart;
}

/** What of `piece` is computed again. */
export function refreshOf(piece: Piece, context: ChangeContext): Refresh {
  const { seam, closure } = context.options;
  const start = piece.targetStart;
  const end = targetEnd(piece);
  const { kind, distance } = changeBefore(piece, context);
  const seamEnd = Math.min(seamStart(piece, context) + seam, end);
  if (kind === 'moved') return { end: seamEnd, reason: 'seam' };
  // Closures count from the change, which a piece cut short may have left behind.
  const from = start - distance;
  const wholeBlock = blockEnd(context.target, start, end, context.classes);
  const toBlockEnd = Math.min(wholeBlock, from + closure.max, end);
  if (kind === 'replaced') return { end: Math.max(toBlockEnd, seamEnd), reason: 'seam' };
  const closed = Math.min(Math.max(toBlockEnd, from + closure.min), end);
  return closed > seamEnd ? { end: closed, reason: 'closure' } : { end: seamEnd, reason: 'seam' };
}
