// From candidates to a plan: base prefix first (lossless, or what begins with the same tokens), then moved runs
// behind it, then everything that has to be computed again around them, then the question whether it pays and is safe. KVShare (arXiv 2503.16525) §4.2 with the edit closure of the project's design.
import type { EqualRun, PrefixMatch, TokenRange } from '../kv/index.ts';
import { assemble, type Draft } from './assemble-plan.ts';
import { chooseRuns } from './choose-runs.ts';
import { refreshOf } from './closure.ts';
import { hasCriticalEdit } from './edits.ts';
import { inversionShare } from './inversion-share.ts';
import { cutsDraft } from './limited-imports.ts';
import type { PlanDecision, PlanReason } from './options.ts';
import { paraphrasePieces } from './paraphrase.ts';
import { cutRun, targetEnd, type Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { isAble, withinCapabilities } from './policies.ts';
import { recipeOf } from './recipe.ts';
import { RecomputeMap } from './recompute-map.ts';
import { isDelimiter } from './token-classes.ts';

/** What is imported in place from position 0 on. */
function exactBase({ candidates, target }: PlanInput): Piece[] {
  const found = candidates.exactPrefix;
  const length = Math.min(found?.length ?? 0, target.length - 1);
  if (!found || length <= 0) return [];
  return [{ donor: found.donor, donorStart: 0, targetStart: 0, length, exact: true }];
}

/** How similar a donor's text must be, 0..1; who is not known is not similar. */
function leastSimilarity({ options, minDonorSimilarity: asked = 0 }: PlanInput): number {
  // Under `semantic` the route's similarity is asked of passages that are not equal.
  return options.policy === 'semantic' ? asked : Math.max(asked, options.minSimilarity);
}

/**
 * A prompt of the scope that was put together by the same settings, where the target has all of what was judged then:
 * the order, the share of what was saved. What is equal in meaning only is counted for each prompt anew.
 */
function othersBeginning(input: PlanInput): PrefixMatch | null {
  const { candidates, options } = input;
  const found = candidates.approximatePrefix;
  if (!found || options.policy === 'semantic') return null;
  const { recipe, importedTo = Infinity } = found.donor;
  const similarity = candidates.similarity.get(found.donor) ?? 0;
  const isGood = recipe === recipeOf(options) && found.length >= importedTo;
  return isGood && similarity >= leastSimilarity(input) ? found : null;
}

/** That, or the same user's earlier turn, if it is longer. */
function sameBeginning(input: PlanInput): PrefixMatch | null {
  const { continuation: own } = input.candidates;
  const others = othersBeginning(input);
  return own && own.length > (others?.length ?? 0) ? own : others;
}

/**
 * What begins with the same tokens, when it reaches clearly further than the exact prefix does. Its approximate
 * part ends where the suffix begins: the question is computed fresh whatever it stands on. Where another donor has
 * more of the beginning exactly (it was healed meanwhile), that comes first.
 */
function approximateBase(
  input: PlanInput,
  prefix: readonly Piece[],
  found: PrefixMatch | null,
): Piece[] | null {
  if (!found) return null;
  const { donor } = found;
  const exactLength = endOf(prefix);
  const longest = Math.min(found.length, input.target.length - 1);
  const exact = Math.min(longest, donor.exactTokens);
  const length = Math.min(longest, Math.max(exact, input.suffixStart));
  if (length < exactLength + input.options.minRun) return null;
  const piece = (start: number, end: number): Piece => ({
    donor,
    donorStart: start,
    targetStart: start,
    length: end - start,
    exact: start === 0,
  });
  if (exactLength > exact) return [...prefix, piece(exactLength, length)];
  const pieces = [piece(0, exact), piece(exact, length)].filter((part) => part.length > 0);
  // Nothing exact at the start: the approximate piece begins at 0 and must not claim to be exact.
  return exact > 0 ? pieces : pieces.map((part) => ({ ...part, exact: false }));
}

const endOf = (pieces: readonly Piece[]): number => {
  const last = pieces.at(-1);
  return last ? targetEnd(last) : 0;
};

/** Paints what is fresh around moved runs. */
function paintFresh(
  input: PlanInput,
  base: readonly Piece[],
  moved: readonly Piece[],
): Pick<Draft, 'fresh' | 'drifts'> {
  const { target, tokenClasses: classes, options } = input;
  const fresh = new RecomputeMap(target.length);
  let drifts = false;
  const baseEnd = endOf(base);
  let at = baseEnd;
  for (const piece of moved) {
    fresh.mark(at, piece.targetStart, 'changed');
    const refresh = refreshOf(piece, { target, classes, options });
    fresh.mark(piece.targetStart, refresh.end, refresh.reason);
    drifts ||= refresh.drifts;
    at = targetEnd(piece);
    if (options.delimiterRefresh) {
      for (let i = refresh.end; i < at; i++) {
        if (isDelimiter(classes, target[i]!)) fresh.mark(i, i + 1, 'delimiter');
      }
    }
  }
  fresh.mark(at, target.length, 'changed');
  fresh.mark(Math.max(input.suffixStart, baseEnd), target.length, 'suffix');
  fresh.closeGaps(baseEnd, options.mergeGap);
  return { fresh, drifts };
}

/** Drops imports of which nothing is left. */
function draftOf(input: PlanInput, base: readonly Piece[], moved: readonly Piece[]): Draft {
  const { fresh, drifts } = paintFresh(input, base, moved);
  const pieces = [...base];
  for (const piece of moved) {
    const [start, end] = [piece.targetStart, targetEnd(piece)];
    if (fresh.count(start, end) < piece.length) pieces.push(piece);
    else fresh.mark(start, end, 'changed');
  }
  return { pieces, fresh, drifts };
}

/** Why moved runs must not be used although they were found; null = use them. */
function objection(
  input: PlanInput,
  base: readonly Piece[],
  moved: Draft,
  plain: PlanDecision,
): PlanReason | null {
  const { options, target } = input;
  if (!options.fallbacks) return null;
  const behind = target.length - endOf(base);
  const saved = behind - moved.fresh.count(endOf(base), target.length);
  if (saved < options.minReuse * behind) return 'too-little-reuse';
  if (inversionShare(moved.pieces) > options.maxInversionShare) return 'inverted-order';
  if (options.strict && hasCriticalEdit(moved, input)) return 'critical-edit';
  const { predictedMs } = assemble(input, moved, 'full');
  return predictedMs >= plain.predictedMs ? 'below-break-even' : null;
}

/** Runs of donors that are similar enough, if that is asked for. */
function similarRuns(input: PlanInput): readonly EqualRun[] {
  const { runs, similarity } = input.candidates;
  const least = leastSimilarity(input);
  return least === 0 ? runs : runs.filter(({ donor }) => (similarity.get(donor) ?? 0) >= least);
}

/** Why nothing is imported beyond the base. */
function whyNone(
  { candidates, runner }: PlanInput,
  runs: readonly EqualRun[],
  window: TokenRange,
): PlanReason | null {
  const isOpen = (run: EqualRun): boolean => cutRun(run, window.start, window.end) !== null;
  if (!candidates.runs.some(isOpen)) return null;
  if (!runs.some(isOpen)) return 'low-similarity';
  const { importMsPerToken, prefillMsPerToken } = runner.speeds;
  return importMsPerToken < prefillMsPerToken ? 'too-little-reuse' : 'below-break-even';
}

/** For a runner that cannot import runs: the base, and what follows it where text was cut out. */
function planWithinReach(
  input: PlanInput,
  base: readonly Piece[],
  plain: PlanDecision,
  window: TokenRange,
): PlanDecision {
  const closed = cutsDraft(input, base);
  if (!closed) {
    const missed = whyNone(input, similarRuns(input), window) !== null;
    return missed ? { ...plain, reason: 'runner-unable' } : plain;
  }
  const reason = objection(input, base, closed, plain);
  return reason ? { ...plain, reason } : assemble(input, closed, 'full');
}

const byTarget = (a: Piece, b: Piece): number => a.targetStart - b.targetStart;

/** Pure: the same input gives the same decision. */
export function planReuse(given: PlanInput): PlanDecision {
  const options = withinCapabilities(given.options, given.runner.capabilities);
  const decision = decide(given, { ...given, options });
  if (decision.reason !== 'full' || decision.importedTokens === 0) return decision;
  // Tokens that should be computed besides, and cannot be there.
  const { driftCorrection } = given.options;
  const isLess = recipeOf({ ...options, driftCorrection }) !== recipeOf(given.options);
  return isLess ? { ...decision, reason: 'runner-unable' } : decision;
}

/** `input` is what was given, within what the runner can do. */
function decide(given: PlanInput, input: PlanInput): PlanDecision {
  const { capabilities, speeds } = given.runner;
  const { options, target, suffixStart } = input;
  if (options.policy === 'off') return assemble(input, draftOf(input, [], []), 'policy-off');
  const exact = exactBase(input);
  if (options.policy === 'exact') return assemble(input, draftOf(input, exact, []), 'policy-exact');
  if (!isAble(given.options, capabilities)) {
    return assemble(input, draftOf(input, exact, []), 'runner-unable');
  }

  const base = approximateBase(input, exact, sameBeginning(given)) ?? exact;
  const plain = assemble(input, draftOf(input, base, []), base.length > 0 ? 'full' : 'no-donor');
  const window = { start: endOf(base), end: Math.min(suffixStart, target.length - 1) };
  if (capabilities.imports !== 'runs') return planWithinReach(input, base, plain, window);
  const runs = similarRuns(input);
  const equal = chooseRuns(runs, base.at(-1) ?? null, {
    target,
    classes: input.tokenClasses,
    options,
    window,
    importCost: speeds.importMsPerToken / speeds.prefillMsPerToken,
  });
  const chosen =
    options.policy === 'semantic'
      ? [...equal, ...paraphrasePieces(input, equal, window)].sort(byTarget)
      : equal;
  if (chosen.length === 0)
    return { ...plain, reason: whyNone(input, runs, window) ?? plain.reason };
  const moved = draftOf(input, base, chosen);
  if (moved.pieces.length === base.length) return { ...plain, reason: 'too-little-reuse' };
  const reason = objection(input, base, moved, plain);
  if (reason) return { ...plain, reason, considered: chosen };
  return assemble(input, moved, 'full');
}
