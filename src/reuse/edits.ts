// The edits that a draft builds on: blocks that the target shares with a donor but for a few words, in front of
// text that is imported. What they mean decides in strict mode, and is shown by `kvshare explain`.
import { criticalChanges, type CriticalKind } from '../meaning/index.ts';
import type { Draft } from './assemble-plan.ts';
import { changeBefore } from './closure.ts';
import { targetEnd, type Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { endsBlock } from './token-classes.ts';

export interface Edit {
  /** First target token of the block that was edited. */
  readonly start: number;
  /** Where the imported text goes on. */
  readonly end: number;
  readonly segment: string;
  readonly kinds: readonly CriticalKind[];
}

/** Tokens behind the change that are read along: words are cut into several tokens. */
const LOOK_AHEAD = 16;

function editBefore(piece: Piece, input: PlanInput): Edit | null {
  // What a paraphrase changes has been judged as a whole.
  if (piece.passage) return null;
  const { target, tokenClasses: classes, options, readText } = input;
  const change = changeBefore(piece, { target, classes, options });
  // A block that was replaced from its first token on is another text, not another value.
  if (change.kind === 'moved' || (change.kind === 'replaced' && change.common === 0)) return null;
  const { donor, donorStart, targetStart } = piece;
  const ahead = change.start + Math.min(LOOK_AHEAD, targetEnd(piece) - change.start);
  const before = readText(donor.tokens, change.inDonor, ahead - targetStart + donorStart);
  const after = readText(target, change.inTarget, ahead);
  const kinds = criticalChanges(before, after);
  return { start: change.inTarget, end: change.start, segment: donor.segment, kinds };
}

export const findEdits = (pieces: readonly Piece[], input: PlanInput): Edit[] =>
  pieces.flatMap((piece) => editBefore(piece, input) ?? []);

/** Whether imported KV stands behind the block of a critical edit. */
export function hasCriticalEdit({ pieces, fresh }: Draft, input: PlanInput): boolean {
  const { target, tokenClasses: classes } = input;
  return findEdits(pieces, input).some((edit) => {
    if (edit.kinds.length === 0) return false;
    let blockEnd = edit.end;
    while (blockEnd < target.length && !endsBlock(classes, target[blockEnd]!)) blockEnd++;
    return pieces.some((piece) => {
      const [start, end] = [Math.max(piece.targetStart, blockEnd), targetEnd(piece)];
      return end > start && fresh.count(start, end) < end - start;
    });
  });
}
