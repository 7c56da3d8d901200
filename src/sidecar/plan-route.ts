// POST /kvshare/plan: the dry run. Same input as a completion; the answer is the plan and why, computed
// over the caller's own scope only. No prompt text comes back.
import type { Request, Response } from 'express';
import type { SidecarContext } from './context.ts';
import { planCall } from './find-plan.ts';
import { readCall } from './read-call.ts';

export async function handlePlan(
  context: SidecarContext,
  request: Request,
  response: Response,
): Promise<void> {
  const leave = context.admission.enter();
  try {
    const id = response.locals['requestId'] as string;
    const call = await readCall(context, 'either', request, id);
    const { decision } = planCall(context, call);
    const segments = new Set(decision.plan?.imports.map((entry) => entry.segment));
    response.json({
      prompt_tokens: call.prompt.tokens.length,
      suffix_start: call.prompt.suffixStart,
      outcome: decision.outcome,
      reason: decision.reason,
      exact_tokens: decision.exactTokens,
      imported_tokens: decision.importedTokens,
      recomputed_tokens: decision.recomputedTokens,
      predicted_ms: decision.predictedMs,
      cold_ms: decision.coldMs,
      donors: [...segments].map((segment) => ({
        segment,
        tokens: context.finder.index.get(segment)?.tokens.length ?? 0,
      })),
      plan: decision.plan,
    });
  } finally {
    leave();
  }
}
