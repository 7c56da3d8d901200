// How far behind a change the imported text must be computed again. What the change is shows in the block
// around the start of a piece, in the target and in the donor:
//
//   moved      "¶ guideline …"             the block is the same on both sides: the seam (16 tokens)
//   edited     "give 5 mg|8 mg hourly. …"  the text on its left is the same: to the end of the block, 32 to 64
//                                          tokens, for what follows was written with the old value in mind
//   replaced   "card A|card B ¶ …"         another text: most of the block went, or it got another label in
//              "[2]|[5] guideline …"       another place: the rest of the block, and the seam
//
// Only the tokens count, not what serves them: a plan cannot get rid of a closure by taking the text on its left
// from another donor, or by starting a little later.
import type { ReuseOptions } from './options.ts';
import { targetEnd, type Piece } from './piece.ts';
import { endsBlock, type TokenClasses } from './token-classes.ts';

export interface ChangeContext {
  readonly target: Int32Array;
  readonly classes: TokenClasses;
  readonly options: Pick<ReuseOptions, 'seam' | 'contextGrowth' | 'closure'>;
}

export interface Refresh {
  /** From the start of the piece to here everything is recomputed. */
  readonly end: number;
  readonly reason: 'seam' | 'closure';
  /** Whether the piece was read behind other text than it has now: more than a word or a value. */
  readonly drifts: boolean;
}

/** Equal tokens at a block's end often count as the start of the run behind it. */
export const BLOCK_TAIL = 4;
/** Fewer changed tokens than this are an edit, however short their line is. */
const REPLACED_TOKENS = 8;
/** From here on what the donor had and the target has not is a sentence, not a value or a name. */
const SENTENCE_TOKENS = 8;
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

export interface BlockChange {
  readonly kind: 'moved' | 'edited' | 'replaced';
  /** Where the equal text begins that the piece is part of: right behind the change. */
  readonly start: number;
  /** Where the block around that place begins, in target and donor. */
  readonly inTarget: number;
  readonly inDonor: number;
  /** Equal tokens at the start of that block. */
  readonly common: number;
  /** Where the equal text begins in the donor. */
  readonly from: number;
}

/** Whether enough tokens are equal to the left of the two positions. */
function hasSameContext(target: Int32Array, at: number, donor: Int32Array, from: number): boolean {
  const [reach, old] = [Math.min(CONTEXT_TOKENS, at), Math.min(CONTEXT_TOKENS, from)];
  if (reach !== old) return false;
  for (let i = 1; i <= reach; i++) if (target[at - i] !== donor[from - i]) return false;
  return true;
}

/** Tokens in front of the piece that are equal as well: another piece may serve them. At most `limit`. */
function equalBefore({ donor, donorStart, targetStart }: Piece, target: Int32Array, limit: number) {
  const most = Math.min(limit, donorStart, targetStart);
  let count = 0;
  while (count < most && donor.tokens[donorStart - 1 - count] === target[targetStart - 1 - count]) {
    count++;
  }
  return count;
}

/** How many of these tokens the others have not, wherever they stand. */
function countMissing(tokens: Int32Array, others: Int32Array): number {
  const left = new Map<number, number>();
  for (const token of others) left.set(token, (left.get(token) ?? 0) + 1);
  let missing = 0;
  for (const token of tokens) {
    const count = left.get(token) ?? 0;
    if (count > 0) left.set(token, count - 1);
    else missing++;
  }
  return missing;
}

/** What changed in front of the equal text that the piece is part of. */
export function changeBefore(
  piece: Piece,
  { target, classes, options }: ChangeContext,
): BlockChange {
  const donor = piece.donor.tokens;
  // Further away than the longest closure a change does not matter any more.
  const back = equalBefore(piece, target, options.closure.max);
  const [start, from] = [piece.targetStart - back, piece.donorStart - back];
  const inTarget = blockStart(target, start, classes);
  const inDonor = blockStart(donor, from, classes);
  const [before, old] = [start - inTarget, from - inDonor];
  const shorter = Math.min(before, old);
  let common = 0;
  while (common < shorter && target[inTarget + common] === donor[inDonor + common]) common++;
  const [inserted, removed] = [before - common, old - common];
  const where = { start, from, inTarget, inDonor, common };
  if (inserted === 0 && removed === 0) return { kind: 'moved', ...where };
  const isMost = (changed: number, block: number): boolean =>
    changed >= REPLACED_TOKENS && changed * 2 >= block;
  const rest = blockEnd(target, start, targetEnd(piece), classes) - start;
  const replaced =
    isMost(inserted, before + rest) ||
    isMost(removed, old + rest) ||
    !hasSameContext(target, inTarget + common, donor, inDonor + common);
  return { kind: replaced ? 'replaced' : 'edited', ...where };
}

/** Where the seam begins: the last tokens of a block (". ¶") are not yet the text that moved. */
function seamStart(piece: Piece, { target, classes }: ChangeContext): number {
  const limit = Math.min(piece.targetStart + BLOCK_TAIL, targetEnd(piece));
  const end = blockEnd(target, piece.targetStart, limit, classes);
  return endsBlock(classes, target[end - 1]!) ? end : piece.targetStart;
}

/**
 * Where the text in front of a token is at most `contextGrowth` times as long as it was in the donor. What was read
 * near the beginning knows little of what now stands before it.
 */
function contextEnd(piece: Piece, { options }: ChangeContext): number {
  const { targetStart, donorStart } = piece;
  const growth = options.contextGrowth;
  if (growth === 0 || targetStart <= growth * donorStart) return targetStart;
  const tokens = Math.ceil((targetStart - growth * donorStart) / (growth - 1));
  return Math.min(targetStart + tokens, targetEnd(piece));
}

/** What of `piece` is computed again. */
export function refreshOf(piece: Piece, context: ChangeContext): Refresh {
  const change = refreshOfChange(piece, context);
  const end = piece.passage ? change.end : contextEnd(piece, context);
  return end > change.end ? { end, reason: 'seam', drifts: true } : change;
}

function refreshOfChange(piece: Piece, context: ChangeContext): Refresh {
  const { target, classes, options } = context;
  const { seam, closure } = options;
  const end = targetEnd(piece);
  // Of a paraphrase the first tokens of the passage, whichever piece they are in.
  if (piece.passage) {
    const fresh = Math.max(piece.targetStart, Math.min(piece.passage.start + seam, end));
    return { end: fresh, reason: 'seam', drifts: true };
  }
  const seamEnd = seam === 0 ? piece.targetStart : Math.min(seamStart(piece, context) + seam, end);
  const { kind, start, from, inTarget, inDonor, common } = changeBefore(piece, context);
  const atSeam: Refresh = { end: seamEnd, reason: 'seam', drifts: true };
  if (kind === 'moved') return atSeam;
  const toBlockEnd = Math.min(blockEnd(target, start, end, classes), start + closure.max);
  if (kind === 'replaced') return { ...atSeam, end: Math.max(toBlockEnd, seamEnd) };
  const closed = Math.min(Math.max(toBlockEnd, start + closure.min), end);
  const gone = piece.donor.tokens.subarray(inDonor + common, from);
  const drifts = countMissing(gone, target.subarray(inTarget + common, start)) >= SENTENCE_TOKENS;
  if (closed <= seamEnd) return { ...atSeam, drifts };
  return { end: closed, reason: 'closure', drifts };
}
