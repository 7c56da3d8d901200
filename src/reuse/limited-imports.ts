// Runners that cannot put KV token by token where a plan wants it: other serving frameworks behind the port. All of them
// go on from the beginning of one stored context. Some also close up what was cut out of it (`--cache-reuse` of llama.cpp's
// server), but compute nothing in between: that serves only policies that ask for nothing there.
import type { Donor } from '../kv/index.ts';
import type { Draft } from './assemble-plan.ts';
import type { ReuseOptions } from './options.ts';
import { targetEnd, type Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { RecomputeMap } from './recompute-map.ts';

/** Whether moved text is taken as it is. */
const computesNothingBetween = ({ seam, closure, delimiterRefresh }: ReuseOptions): boolean =>
  seam === 0 && closure.max === 0 && !delimiterRefresh;

/** Equal tokens from there on. */
function equalLength(
  donor: ArrayLike<number>,
  donorStart: number,
  target: ArrayLike<number>,
  targetStart: number,
): number {
  const most = Math.min(donor.length - donorStart, target.length - targetStart);
  let length = 0;
  while (length < most && donor[donorStart + length] === target[targetStart + length]) length++;
  return length;
}

/**
 * What llama.cpp's server takes from a context of which the first `from` tokens are equal: at each point of the target
 * the next stretch of at least `minRun` equal tokens, further back in the context. (`update_slots` in its source.)
 */
export function closeCuts(
  donor: ArrayLike<number>,
  target: ArrayLike<number>,
  from: number,
  minRun: number,
): { readonly donorStart: number; readonly targetStart: number; readonly length: number }[] {
  const stretches = [];
  let donorStart = from;
  let targetStart = from;
  while (donorStart < donor.length && targetStart < target.length) {
    const length = equalLength(donor, donorStart, target, targetStart);
    if (length < minRun) {
      donorStart++;
      continue;
    }
    stretches.push({ donorStart, targetStart, length });
    donorStart += length;
    targetStart += length;
  }
  return stretches;
}

/** The last token is computed in any case. */
const withoutLast = (piece: Piece, numTokens: number): Piece => ({
  ...piece,
  length: Math.min(piece.length, numTokens - 1 - piece.targetStart),
});

/**
 * The target as its donor with text cut out; null where nothing was, or where the policy wants more than closing up.
 * The question is imported too where it is equal: such a runner cannot be told to stop in front of it.
 */
export function cutsDraft(input: PlanInput, base: readonly Piece[]): Draft | null {
  const { target, options, runner, suffixStart } = input;
  const last = base.at(-1);
  if (runner.capabilities.imports !== 'cuts' || !computesNothingBetween(options) || !last) {
    return null;
  }
  const { donor } = last;
  // What was moved once is not moved again.
  if (donor.exactTokens < donor.tokens.length) return null;
  const pieces = piecesOf(donor, target, targetEnd(last), options.minRun);
  const end = pieces.at(-1);
  if (!end) return null;
  const fresh = new RecomputeMap(target.length);
  fresh.mark(targetEnd(end), target.length, 'changed');
  fresh.mark(Math.max(suffixStart, targetEnd(end)), target.length, 'suffix');
  return { pieces: [...base, ...pieces], fresh, drifts: false };
}

const piecesOf = (donor: Donor, target: Int32Array, from: number, minRun: number): Piece[] =>
  closeCuts(donor.tokens, target, from, minRun)
    .map((stretch) => withoutLast({ ...stretch, donor, exact: false }, target.length))
    .filter(({ length }) => length > 0);
