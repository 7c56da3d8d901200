// How much of the imported text stands in another order than in its donor: over all pairs of imported
// tokens of one donor, the share whose order is reversed in the target. Above one half the mean KL was
// .14 against .007 for pure shifts, so the default policy falls back there.
import { donorEnd, type Piece } from './piece.ts';

/** `pieces` in target order. */
export function inversionShare(pieces: readonly Piece[]): number {
  let reversed = 0;
  let pairs = 0;
  const donors = new Set(pieces.map((piece) => piece.donor));
  for (const donor of donors) {
    const own = pieces.filter((piece) => piece.donor === donor);
    const tokens = own.reduce((sum, piece) => sum + piece.length, 0);
    pairs += (tokens * (tokens - 1)) / 2;
    own.forEach((first, i) => {
      for (const later of own.slice(i + 1)) {
        if (donorEnd(later) <= first.donorStart) reversed += first.length * later.length;
      }
    });
  }
  return pairs === 0 ? 0 : reversed / pairs;
}
