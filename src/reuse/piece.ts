// A stretch of the target that is to be imported from one donor: what plans are assembled from.
import type { Donor, EqualRun, TokenRange } from '../kv/index.ts';

export interface Piece {
  readonly donor: Donor;
  readonly donorStart: number;
  readonly targetStart: number;
  readonly length: number;
  readonly exact: boolean;
  /** The target's passage that the piece paraphrases; absent where all tokens are equal. */
  readonly passage?: TokenRange;
}

export const targetEnd = (piece: Pick<Piece, 'targetStart' | 'length'>): number =>
  piece.targetStart + piece.length;

export const donorEnd = (piece: Pick<Piece, 'donorStart' | 'length'>): number =>
  piece.donorStart + piece.length;

/** The part of a run inside target positions [start, end); null when nothing is left. */
export function cutRun(run: EqualRun, start: number, end: number): EqualRun | null {
  const from = Math.max(run.targetStart, start);
  const to = Math.min(targetEnd(run), end);
  if (to <= from) return null;
  const shift = from - run.targetStart;
  return {
    donor: run.donor,
    donorStart: run.donorStart + shift,
    targetStart: from,
    length: to - from,
  };
}
