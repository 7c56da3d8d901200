// Healing: the hot beginning of a prompt that was put together from imported KV is computed exactly in an idle moment
// and becomes a donor, for its own scope alone.
import { noCandidates } from '../kv/index.ts';
import type { Receipt, ReusePlan } from '../protocol/index.ts';
import { planReuse } from '../reuse/index.ts';
import type { SidecarContext } from './context.ts';
import type { Planned } from './find-plan.ts';
import { generateRequestOf } from './forward-call.ts';
import type { Call } from './read-call.ts';
import { ServedNote } from './served.ts';

/** The exact prefix that is stored by now may be used; nothing else. */
function exactPlan(planned: Planned, tokens: Int32Array) {
  const { input } = planned;
  if (!input) return null;
  const { exactPrefix } = input.candidates;
  const candidates = { ...noCandidates, exactPrefix };
  const options = { ...input.options, policy: 'exact' as const };
  const target = { target: tokens, suffixStart: tokens.length - 1 };
  return planReuse({ ...input, ...target, candidates, options }).plan;
}

/** What it was computed over, so that a purge reaches it: by either plan. */
function overBoth(planned: Planned, exact: ReusePlan | null): Planned {
  const { decision } = planned;
  const { plan } = decision;
  if (!plan || !exact) return planned;
  const imports = [...plan.imports, ...exact.imports];
  return { ...planned, decision: { ...decision, plan: { ...plan, imports } } };
}

/** Computes these tokens and waits until they are stored; false = interrupted. */
async function computeExactly(
  context: SidecarContext,
  call: Call,
  planned: Planned,
  { tokens, epoch }: { readonly tokens: Int32Array; readonly epoch: number },
  signal: AbortSignal,
): Promise<boolean> {
  const { runner, metrics } = context;
  const plan = exactPlan(planned, tokens);
  const request = {
    ...generateRequestOf(context, call, plan),
    // A request of its own, not the one that gave cause to it.
    requestId: context.newId(),
    tokens: Array.from(tokens),
    // Anybody of the scope may go on from it.
    owner: null,
  };
  const note = new ServedNote(context, call, overBoth(planned, plan), epoch);
  const once = { ...request.sampling, temperature: 0, maxTokens: 1 };
  for await (const event of runner.generate({ ...request, sampling: once }, signal)) {
    if (event.type === 'stored') {
      note.keep(event.context);
      metrics.healed.inc();
    }
    if (event.type === 'end') return event.reason !== 'cancelled';
  }
  return !signal.aborted;
}

/** Call when the answer has been given. */
export function healWhenIdle(
  context: SidecarContext,
  call: Call,
  planned: Planned,
  receipt: Receipt,
): void {
  const { hotPrefixes, idle } = context;
  const { plan } = planned.decision;
  const { identity, cache, prompt } = call;
  if (!hotPrefixes || !plan || receipt.importedTokens === 0 || receipt.degraded !== null) return;
  if (!cache.store || identity.anonymous) return;
  const { scope } = identity;
  const hot = hotPrefixes.observe(scope, prompt.tokens, plan);
  if (hot === 0) return;
  const tokens = prompt.tokens.slice(0, hot);
  // What an operator deletes until then takes this with it.
  const { epoch } = context.ledger;
  const isWaiting = idle.add({
    what: 'healing',
    tenant: identity.tenant,
    run: (signal) => computeExactly(context, call, planned, { tokens, epoch }, signal),
  });
  // Once is enough; if it fails, the beginning becomes hot again.
  if (isWaiting) hotPrefixes.forget(scope, prompt.tokens, hot);
}
