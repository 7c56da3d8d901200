// POST /kvshare/plan: the dry run. Same input as a completion; the answer is the plan and why, computed over the
// caller's own scope only. What comes back of texts is the caller's own prompt.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PlanDecision } from '../reuse/index.ts';
import type { SidecarContext } from './context.ts';
import { divergenceOf, donorsOf, editsOf, spansOf } from './explain-plan.ts';
import { breakEvenKeyOf, planCall, type Planned } from './find-plan.ts';
import { sendJson } from './message.ts';
import { readCall, receive, type Call } from './read-call.ts';
import { requestIdOf } from './request-id.ts';

const MAX_DONORS = 20;

/** What counts as alike for the caller, and what that rests on; null without an embedder. */
function vectorMatchOf({ finder }: SidecarContext, scope: string): object | null {
  if (!finder.similar) return null;
  const { threshold, pairs, median, p90, p99 } = finder.similar.calibrationOf(scope);
  return { embedder: finder.similar.embedder, threshold, pairs, median, p90, p99 };
}

/** What would have been done, were the route not in shadow mode. */
const shadowedOf = (decision: PlanDecision): object => ({
  outcome: decision.outcome,
  reason: decision.reason,
  imported_tokens: decision.importedTokens,
  recomputed_tokens: decision.recomputedTokens,
  predicted_ms: decision.predictedMs,
});

function explanation(context: SidecarContext, call: Call, planned: Planned): object {
  const { decision, options } = planned;
  const { prompt, route, identity } = call;
  const last = context.lastRuns.get(identity.scope, prompt.tokens);
  const numTokens = prompt.tokens.length;
  return {
    prompt_tokens: numTokens,
    suffix_start: prompt.suffixStart,
    route: route.name,
    options,
    outcome: decision.outcome,
    reason: decision.reason,
    exact_tokens: decision.exactTokens,
    imported_tokens: decision.importedTokens,
    recomputed_tokens: decision.recomputedTokens,
    predicted_ms: decision.predictedMs,
    cold_ms: decision.coldMs,
    lookup_ms: planned.lookupMs,
    vector_match: vectorMatchOf(context, identity.scope),
    guard: context.guard.stateOf(route, identity.tenant),
    shadowed: planned.shadowed && shadowedOf(planned.shadowed),
    learned: context.breakEven.stateOf(breakEvenKeyOf(call), numTokens),
    last_run: last && {
      outcome: last.outcome,
      reason: last.reason,
      ttft_ms: last.ttftMs,
      waited_ms: last.waitedMs,
    },
    first_divergence: divergenceOf(planned),
    donors: donorsOf(planned, MAX_DONORS).map(({ exactTokens, ...donor }) => ({
      ...donor,
      exact_tokens: exactTokens,
    })),
    edits: editsOf(planned),
    spans: spansOf(decision.plan, prompt.tokens, context.finder.readText),
    plan: decision.plan,
  };
}

export async function handlePlan(
  context: SidecarContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const received = await receive(context, request);
  const place = context.admission.enter(received.principal?.tenant ?? null);
  try {
    const id = requestIdOf(response);
    const call = readCall(context, 'either', request, { id, ...received });
    // As the next request would be planned, without being counted as one.
    const mayTry = (): boolean =>
      context.breakEven.wouldTry(breakEvenKeyOf(call), call.prompt.tokens.length);
    const answer = explanation(context, call, await planCall(context, call, mayTry));
    sendJson(response, 200, answer, { 'cache-control': 'no-store' });
  } finally {
    place.leave();
  }
}
