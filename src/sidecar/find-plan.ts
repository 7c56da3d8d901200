// Step 2 of a request: donors → plan. Never throws: whatever fails here costs the reuse, not the answer.
import { PLAN_VERSION, type RunnerInfo } from '../protocol/index.ts';
import { planReuse, type PlanDecision, type PlanReason } from '../reuse/index.ts';
import type { EncodedPrompt } from '../tokenizer/index.ts';
import type { PlanFinder, SidecarContext } from './context.ts';
import type { Identity } from './identify.ts';
import type { Call } from './read-call.ts';

function coldDecision(numTokens: number, reason: PlanReason): PlanDecision {
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

function findPlan(
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

/** The plan for a call, as far as the client allows a look-up and has somebody to share with. */
export function planCall(context: SidecarContext, { cache, prompt, identity }: Call): PlanDecision {
  if (!cache.lookup || identity.anonymous) {
    return coldDecision(prompt.tokens.length, cache.lookup ? 'no-donor' : 'bypass');
  }
  const { protocolVersions } = context.link.info;
  if (!protocolVersions.includes(PLAN_VERSION)) {
    // A runner of another protocol version still answers; it only gets no plans.
    return coldDecision(prompt.tokens.length, 'plan-version');
  }
  const start = context.now();
  const decision = findPlan(context.finder, prompt, identity, context.link.info);
  context.metrics.lookup.observe((context.now() - start) / 1000);
  return decision;
}
