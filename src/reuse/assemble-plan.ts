// A draft (pieces and fresh tokens) → the decision with its plan and counters, in the words of the receipt.
import { PLAN_VERSION, type ReusePlan } from '../protocol/index.ts';
import type { PlanDecision, PlanReason } from './options.ts';
import type { Piece } from './piece.ts';
import type { PlanInput } from './plan-input.ts';
import { predictMs } from './predict-cost.ts';
import type { RecomputeMap } from './recompute-map.ts';

export interface Draft {
  readonly pieces: readonly Piece[];
  readonly fresh: RecomputeMap;
}

const tokensOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + piece.length, 0);

function planOf(input: PlanInput, { pieces, fresh }: Draft): ReusePlan {
  return {
    version: PLAN_VERSION,
    planId: input.planId,
    fingerprint: input.fingerprint,
    numTokens: input.target.length,
    policy: input.options.policy,
    imports: pieces.map(({ donor, donorStart, targetStart, length, exact }) => ({
      segment: donor.segment,
      donorStart,
      targetStart,
      length,
      exact,
    })),
    recompute: fresh.ranges(),
    topUp: null,
    fullLayers: 0,
    decodeRefresh: 0,
  };
}

export function assemble(input: PlanInput, draft: Draft, reason: PlanReason): PlanDecision {
  const exactTokens = tokensOf(draft.pieces.filter((piece) => piece.exact));
  const importedTokens = tokensOf(draft.pieces) - exactTokens;
  const recomputedTokens = draft.fresh.count(0, input.target.length);
  const cold = draft.pieces.length === 0;
  return {
    plan: cold ? null : planOf(input, draft),
    outcome: cold ? 'cold' : importedTokens > 0 ? 'reused' : 'exact',
    reason,
    exactTokens,
    importedTokens,
    recomputedTokens,
    predictedMs: predictMs(input.speeds, recomputedTokens, exactTokens + importedTokens),
    coldMs: predictMs(input.speeds, input.target.length, 0),
  };
}
