// The guard's eyes: behind a share of the answers, in an idle moment, the runner computes the prompt in full and by
// the plan, and compares the two along the answer that was given. What comes of it moves the tenant on that route (routes/quality-guard).
import type { Comparison, Receipt, ReusePlan } from '../protocol/index.ts';
import type { GuardMove, RungName } from '../routes/index.ts';
import type { MissCause } from '../telemetry/index.ts';
import type { SidecarContext } from './context.ts';
import type { Planned } from './find-plan.ts';
import { guardedRoute } from './guard-state.ts';
import { isOutOfTime } from './idle-work.ts';
import type { Call } from './read-call.ts';

const WORST_KL = 100;
/** Tokens of the answer that are compared. */
const COMPARED_TOKENS = 16;

/** The tokens of an answer that it is compared along. */
export class Beginning {
  readonly tokens: number[] = [];

  add(token: number): void {
    if (this.tokens.length < COMPARED_TOKENS) this.tokens.push(token);
  }
}

interface Suspect {
  readonly rung: RungName;
  readonly plan: ReusePlan;
}

function announce({ log, metrics }: SidecarContext, move: GuardMove): void {
  const { route, tenant, from, to, isTrip, estimate } = move;
  const facts = { route, tenant, from, to, estimate };
  if (isTrip) {
    metrics.guard.trips.inc({ route });
    log.error(facts, 'a tenant’s answers left the quality budget: less is reused');
  } else {
    log.warn(facts, 'a tenant’s answers keep to the quality budget again');
  }
}

function record(context: SidecarContext, call: Call, rung: RungName, compared: Comparison): void {
  const { guard, metrics } = context;
  const { route, identity } = call;
  // What is no number could not be worse.
  const isSound = Number.isFinite(compared.kl);
  const kl = isSound ? compared.kl : WORST_KL;
  const top1 = isSound && compared.top1;
  metrics.guard.samples.inc({ route: route.name, rung, agrees: `${top1}` });
  metrics.guard.divergence.observe(kl);
  const move = guard.record(route, identity.tenant, rung, { kl, top1 });
  if (move) announce(context, move);
  metrics.guard.show(guardedRoute(guard, route));
  context.guardFile?.save(guard.save());
}

function compareWhenIdle(
  context: SidecarContext,
  call: Call,
  { rung, plan }: Suspect,
  answer: readonly number[],
): void {
  const { runner, idle, metrics } = context;
  const { identity, prompt } = call;
  const { scope, owner } = identity;
  const tokens = Array.from(prompt.tokens);
  const miss = (cause: MissCause): void => metrics.guard.missed.inc({ cause });
  const isWaiting = idle.add({
    what: 'comparison',
    tenant: identity.tenant,
    run: async (signal) => {
      const request = { requestId: context.newId(), scope, owner, tokens, plan, answer };
      try {
        const compared = await runner.compare!(request, signal);
        if (compared) record(context, call, rung, compared);
        // Null without an abort: the plan cannot be applied any more, the donors are gone.
        else if (!signal.aborted) miss('gone');
        return compared !== null || !signal.aborted;
      } catch (error) {
        if (!signal.aborted) miss('failed');
        throw error;
      } finally {
        // Giving way is no miss: it is tried again.
        if (isOutOfTime(signal)) miss('timeout');
      }
    },
  });
  if (!isWaiting) miss('crowded');
}

/** What is worth comparing: what was reused, by chance; and always what a rung above would have done. */
function suspectsOf(context: SidecarContext, call: Call, planned: Planned): Suspect[] {
  const { guard, random } = context;
  const { rung, decision, shadowed, trial } = planned;
  const suspects: Suspect[] = trial ? [trial] : [];
  const judged = shadowed ?? decision;
  const share = shadowed ? 1 : guard.shareOf(call.route, call.identity.tenant);
  if (judged.plan && judged.importedTokens > 0 && random() < share) {
    suspects.push({ rung, plan: judged.plan });
  }
  return suspects;
}

/** Call when the answer has been given. */
export function watchQuality(
  context: SidecarContext,
  call: Call,
  planned: Planned,
  receipt: Receipt,
  answer: readonly number[],
): void {
  const { route, cache } = call;
  const { shadowed } = planned;
  if (shadowed) {
    const { outcome, recomputedTokens } = shadowed;
    context.metrics.guard.shadowed.inc({ route: route.name, outcome });
    const spared = call.prompt.tokens.length - recomputedTokens;
    context.metrics.guard.shadowedTokens.inc({ route: route.name }, spared);
  }
  const { capabilities } = context.link.info;
  if (!capabilities.compare || !cache.store || route.reuse.qualityBudget.share === 0) return;
  if (receipt.degraded !== null) return;
  // An answer that ended at once is an answer as well: its first token was a stop token.
  const along = answer.length > 0 ? answer : context.tokenizer.stopTokens.slice(0, 1);
  for (const suspect of suspectsOf(context, call, planned)) {
    compareWhenIdle(context, call, suspect, along);
  }
}
