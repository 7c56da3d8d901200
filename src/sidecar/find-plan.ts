// Step 2 of a request: donors → plan. Never throws: whatever fails here costs the reuse, not the answer.
import type { DonorIndex } from '../match/index.ts';
import type { RunnerInfo } from '../protocol/index.ts';
import {
  planReuse,
  type PlanDecision,
  type PlanReason,
  type ReuseOptions,
} from '../reuse/index.ts';
import type { EncodedPrompt } from '../tokenizer/index.ts';
import type { Identity } from './identify.ts';

export interface PlanFinder {
  readonly index: DonorIndex;
  readonly tokenClasses: Uint8Array;
  readonly options: ReuseOptions;
  readonly newId: () => string;
  readonly onFailure: (error: unknown) => void;
}

export function coldDecision(numTokens: number, reason: PlanReason): PlanDecision {
  return {
    plan: null,
    outcome: 'cold',
    reason,
    exactTokens: 0,
    importedTokens: 0,
    recomputedTokens: numTokens,
    predictedMs: 0,
    coldMs: 0,
  };
}

export function findPlan(
  finder: PlanFinder,
  prompt: EncodedPrompt,
  identity: Identity,
  info: Pick<RunnerInfo, 'fingerprint' | 'speeds'>,
): PlanDecision {
  try {
    const { scope, owner } = identity;
    const query = { scope, owner, target: prompt.tokens };
    return planReuse({
      planId: finder.newId(),
      fingerprint: info.fingerprint,
      target: prompt.tokens,
      suffixStart: prompt.suffixStart,
      tokenClasses: finder.tokenClasses,
      candidates: finder.index.candidates(query, finder.options.minRun),
      options: finder.options,
      speeds: info.speeds,
    });
  } catch (error) {
    finder.onFailure(error);
    return coldDecision(prompt.tokens.length, 'planner-error');
  }
}
