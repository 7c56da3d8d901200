// A request's own events: from what was decided and confirmed to what listeners are told.
import type { RequestRef, SidecarEvents } from './events.ts';
import type { Planned } from './find-plan.ts';
import type { Provenance } from './openai-response.ts';
import type { Call } from './read-call.ts';

export const refOf = ({ id, route, identity }: Call): RequestRef => ({
  requestId: id,
  route: route.name,
  tenant: identity.tenant,
});

export function tellPlan(
  events: SidecarEvents,
  call: Call,
  { decision, options, lookupMs }: Planned,
  waitedMs: number,
): void {
  const { plan, outcome, reason, exactTokens, importedTokens, recomputedTokens } = decision;
  const ref = refOf(call);
  events.emit('plan', {
    ...ref,
    planId: plan?.planId ?? null,
    policy: plan?.policy ?? options.policy,
    ...{ outcome, reason, exactTokens, importedTokens, recomputedTokens, lookupMs, waitedMs },
    promptTokens: call.prompt.tokens.length,
  });
  if (reason === 'planner-error') events.emit('fallback', { ...ref, stage: 'plan', cause: reason });
}

export function tellReceipt(events: SidecarEvents, call: Call, provenance: Provenance): void {
  const { policy, outcome, reason, receipt } = provenance;
  const ref = refOf(call);
  const promptTokens = call.prompt.tokens.length;
  events.emit('receipt', { ...ref, policy, outcome, reason, promptTokens, receipt });
  const { degraded } = receipt;
  if (degraded !== null) events.emit('fallback', { ...ref, stage: 'receipt', cause: degraded });
}
