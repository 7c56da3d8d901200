// Step 2 of a request: donors → plan. Never throws: whatever fails here costs the reuse, not the answer.
import { PLAN_VERSION, type ReusePlan } from '../protocol/index.ts';
import {
  planReuse,
  recipeOf,
  searchFor,
  type PlanDecision,
  type PlanInput,
  type PlanReason,
  type ReuseOptions,
} from '../reuse/index.ts';
import type { BreakEvenKey, Rung, RungName, Standing } from '../routes/index.ts';
import { noCandidates, type Candidates } from '../kv/index.ts';
import { findCandidates } from '../similar/index.ts';
import type { SidecarContext } from './context.ts';
import type { Call } from './read-call.ts';

/** A decision and what it took to make it. */
export interface Planned {
  readonly decision: PlanDecision;
  /** What the request was planned with: the route's options, narrowed by the client. */
  readonly options: ReuseOptions;
  /** What the planner saw; null when nothing was looked up. */
  readonly input: PlanInput | null;
  /** The options that the decision was made with: stricter where the policy is in shadow or paused. */
  readonly served: ReuseOptions;
  readonly lookupMs: number;
  /** Of the guard: which settings serve the route. */
  readonly rung: RungName;
  /** What the rung above would have done, where that differs from what is served. */
  readonly trial: { readonly rung: RungName; readonly plan: ReusePlan } | null;
  /** Shadow mode: what would have been done instead of the cold prefill that is. */
  readonly shadowed: PlanDecision | null;
}

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
    considered: [],
  };
}

/** Why there is nothing to look up for this call; null = look. */
function reasonNotToLook(context: SidecarContext, { cache, identity }: Call): PlanReason | null {
  if (!cache.lookup) return 'bypass';
  if (identity.anonymous) return 'no-donor';
  // A runner of another protocol version still answers; it only gets no plans.
  return context.link.info.protocolVersions.includes(PLAN_VERSION) ? null : 'plan-version';
}

/** The client may ask for more likeness than an operator does. */
const narrowed = (options: ReuseOptions, { minSimilarity }: Call): ReuseOptions =>
  minSimilarity > options.minSimilarity ? { ...options, minSimilarity } : options;

/** Whether anything beyond equal tokens can matter for the plan. */
const asksForMeaning = ({ policy }: ReuseOptions): boolean =>
  policy !== 'off' && policy !== 'exact';

async function lookUp(
  context: SidecarContext,
  call: Call,
  options: ReuseOptions,
): Promise<PlanInput> {
  const { finder, link, now } = context;
  const { identity, prompt, cache } = call;
  const { scope, owner } = identity;
  const find = (): Promise<Candidates> => {
    const since = cache.maxAgeMs === null ? -Infinity : now() - cache.maxAgeMs;
    const recipe = recipeOf(options);
    const query = { scope, owner, target: prompt.tokens, since, recipe, ...searchFor(options) };
    return findCandidates(finder.index, asksForMeaning(options) ? finder.similar : null, query);
  };
  return {
    planId: finder.newId(),
    target: prompt.tokens,
    suffixStart: prompt.suffixStart,
    tokenClasses: finder.tokenClasses,
    // A policy that imports nothing has no use for what is stored.
    candidates: options.policy === 'off' ? noCandidates : await find(),
    options,
    minDonorSimilarity: call.minSimilarity,
    runner: link.info,
    readText: finder.readText,
  };
}

export const breakEvenKeyOf = ({ route, identity }: Call): BreakEvenKey => ({
  route: route.name,
  tenant: identity.tenant,
});

/** Whether reuse may be tried where it lost time lately; asked only where that decides. */
export type MayTry = () => boolean;

/** Where reuse lost time lately only the exact prefix is planned, and now and then a probe. */
function planWithinBreakEven(
  mayTry: MayTry,
  input: PlanInput,
): Pick<Planned, 'decision' | 'served'> {
  if (mayTry()) {
    return { decision: planReuse(input), served: input.options };
  }
  const served = { ...input.options, policy: 'exact' as const };
  const exact = planReuse({ ...input, options: served });
  return { decision: { ...exact, reason: 'route-paused' }, served };
}

type Guarded = Pick<Planned, 'decision' | 'served' | 'rung' | 'trial'>;

/** Whether computing what is tried would say anything: it imports more, or other tokens. */
function isWorthTrying(tried: PlanDecision, decision: PlanDecision, { tried: rung }: Standing) {
  if (tried.plan === null || tried.importedTokens === 0) return false;
  // A policy that changes tokens is judged where it does.
  if (rung!.options.policy === 'semantic') return tried.considered.some(({ passage }) => passage);
  return tried.recomputedTokens < decision.recomputedTokens;
}

/** By the settings that the route's answers allow; what those above them would do is only tried. */
function planGuarded(
  context: SidecarContext,
  call: Call,
  mayTry: MayTry,
  input: PlanInput,
): Guarded {
  // Nothing to guard; a warm-up must not touch the state of the route that it borrows.
  if (!asksForMeaning(input.options)) {
    return { ...planWithinBreakEven(mayTry, input), rung: 'asked', trial: null };
  }
  const standing = context.guard.standing(call.route, call.identity.tenant);
  const { served, tried: above } = standing;
  const narrow = ({ options }: Rung): ReuseOptions => narrowed(options, call);
  const options = narrow(served);
  const planned = planWithinBreakEven(mayTry, { ...input, options });
  if (!above) return { ...planned, rung: served.name, trial: null };
  const tried = planReuse({ ...input, options: narrow(above) });
  if (!isWorthTrying(tried, planned.decision, standing)) {
    return { ...planned, rung: served.name, trial: null };
  }
  const reason = served.name === 'substitute' ? 'in-shadow' : 'quality-guard';
  return {
    ...planned,
    decision: { ...planned.decision, reason },
    rung: served.name,
    trial: { rung: above.name, plan: tried.plan! },
  };
}

/** Shadow mode: what was planned is only predicted and judged. */
function planInShadow(call: Call, guarded: Guarded): Guarded & Pick<Planned, 'shadowed'> {
  if (!call.route.reuse.shadow) return { ...guarded, shadowed: null };
  const decision = coldDecision(call.prompt.tokens.length, 'in-shadow');
  const { predictedMs, coldMs } = guarded.decision;
  return {
    ...guarded,
    decision: { ...decision, coldMs, predictedMs: coldMs || predictedMs },
    shadowed: guarded.decision,
  };
}

/** The plan for a call, as far as the client allows a look-up and has somebody to share with. */
export async function planCall(
  context: SidecarContext,
  call: Call,
  mayTry: MayTry,
): Promise<Planned> {
  const options = narrowed(call.route.reuse.options, call);
  const numTokens = call.prompt.tokens.length;
  const reason = reasonNotToLook(context, call);
  const cold = (why: PlanReason): Planned => ({
    decision: coldDecision(numTokens, why),
    options,
    served: options,
    input: null,
    lookupMs: 0,
    rung: 'asked',
    trial: null,
    shadowed: null,
  });
  if (reason) return cold(reason);
  const start = context.now();
  try {
    const input = await lookUp(context, call, options);
    const planned = planInShadow(call, planGuarded(context, call, mayTry, input));
    return { ...planned, options, input, lookupMs: context.now() - start };
  } catch (error) {
    context.finder.onFailure(error);
    return cold('planner-error');
  } finally {
    context.metrics.lookup.observe((context.now() - start) / 1000);
  }
}
