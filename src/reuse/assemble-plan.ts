// A draft (pieces and fresh tokens) → the decision with its plan and counters, in the words of the receipt.
import { PLAN_VERSION, type ReusePlan } from '../protocol/index.ts';
import type { PlanDecision, PlanReason } from './options.ts';
import type { Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { extraTokens, predictMs } from './predict-cost.ts';
import type { RecomputeMap } from './recompute-map.ts';

export interface Draft {
  readonly pieces: readonly Piece[];
  readonly fresh: RecomputeMap;
  /** Whether a run stands behind other text than its donor's, not just behind an edit of some words. */
  readonly drifts: boolean;
}

const tokensOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + piece.length, 0);

const noExtras = { topUp: null, fullLayers: 0, decodeRefresh: 0, driftCorrection: 0 } as const;

function planOf(input: PlanInput, { pieces, fresh, drifts }: Draft): ReusePlan {
  const { planId, target, runner } = input;
  // Nothing approximate, nothing to refresh.
  const approximate = pieces.some((piece) => !piece.exact);
  const options = approximate ? input.options : { ...input.options, ...noExtras };
  const { topUp, fullLayers, decodeRefresh, driftCorrection } = options;
  const corrects = drifts && driftCorrection > 0 && topUp === null && fullLayers === 0;
  return {
    version: PLAN_VERSION,
    planId,
    fingerprint: runner.fingerprint,
    numTokens: target.length,
    policy: options.policy,
    imports: pieces.map(({ donor, donorStart, targetStart, length, exact }) => ({
      segment: donor.segment,
      donorStart,
      targetStart,
      length,
      exact,
    })),
    recompute: fresh.ranges(),
    topUp,
    fullLayers,
    decodeRefresh,
    ...(corrects && { driftCorrection }),
  };
}

export function assemble(input: PlanInput, draft: Draft, reason: PlanReason): PlanDecision {
  const exactTokens = tokensOf(draft.pieces.filter((piece) => piece.exact));
  const importedTokens = tokensOf(draft.pieces) - exactTokens;
  const recomputedTokens = draft.fresh.count(0, input.target.length);
  const cold = draft.pieces.length === 0;
  const { speeds } = input.runner;
  return {
    plan: cold ? null : planOf(input, draft),
    outcome: cold ? 'cold' : importedTokens > 0 ? 'reused' : 'exact',
    reason,
    exactTokens,
    importedTokens,
    recomputedTokens,
    predictedMs: predictMs(
      speeds,
      recomputedTokens + (importedTokens > 0 ? extraTokens(input, draft.fresh) : 0),
      exactTokens + importedTokens,
    ),
    coldMs: predictMs(speeds, input.target.length, 0),
    considered: draft.pieces.filter((piece) => !piece.exact),
  };
}
