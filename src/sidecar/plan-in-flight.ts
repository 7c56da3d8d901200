// Step 2 with single flight: plan; when a prompt under way would serve clearly better than what is stored, wait for
// it and plan again. The last check and the start of the own flight are one turn: of equal prompts one goes ahead.
import { planReuse } from '../reuse/index.ts';
import type { SidecarContext } from './context.ts';
import { breakEvenKeyOf, planCall, type MayTry, type Planned } from './find-plan.ts';
import type { Call } from './read-call.ts';
import type { Flight, SingleFlight } from './single-flight.ts';

/** What is saved must be worth this share of the time until the donor is there. */
const WORTH = 0.25;

export interface PlannedInFlight {
  readonly planned: Planned;
  /** Null when nobody may use this prompt. */
  readonly flight: Flight | null;
  /** Time spent on waiting for a prompt under way. */
  readonly waitedMs: number;
}

/** A request that takes no part in sharing, on either side, has nothing to wait for. */
const mayWait = ({ cache, identity }: Call): boolean =>
  cache.lookup && cache.store && !identity.anonymous;

/** The prompt under way that is worth waiting for. */
function flightWorthIt(
  context: SidecarContext,
  flights: SingleFlight,
  call: Call,
  { input, served, decision, shadowed }: Planned,
): Flight | null {
  // In shadow it would not use what it waits for.
  if (!input || shadowed || !mayWait(call)) return null;
  const { scope } = call.identity;
  const query = { scope, owner: null, target: input.target };
  const candidates = flights.candidates(query, served.minRun);
  if (!candidates.exactPrefix && candidates.runs.length === 0) return null;
  const shared = planReuse({ ...input, options: served, candidates });
  const flight = flights.lastOf(shared.plan);
  if (!flight) return null;
  const savedTokens = decision.recomputedTokens - shared.recomputedTokens;
  const savedMs = decision.predictedMs - shared.predictedMs;
  const restMs = Math.max(0, flight.expectedAt - context.now());
  return savedTokens >= served.minRun && savedMs > WORTH * restMs ? flight : null;
}

function take(flights: SingleFlight, call: Call, { decision }: Planned): Flight | null {
  const { identity, cache, prompt } = call;
  if (!cache.store || identity.anonymous) return null;
  const { plan, predictedMs } = decision;
  return flights.start({ scope: identity.scope, tokens: prompt.tokens, plan, predictedMs });
}

/** However often a request is planned, it is one: asked once, as soon as it matters. */
function askOnce({ breakEven }: SidecarContext, call: Call): MayTry {
  let answer: boolean | undefined;
  return () => (answer ??= breakEven.mayTry(breakEvenKeyOf(call), call.prompt.tokens.length));
}

export async function planInFlight(
  context: SidecarContext,
  call: Call,
  signal: AbortSignal,
): Promise<PlannedInFlight> {
  const { singleFlight: flights, metrics, now } = context;
  const mayTry = askOnce(context, call);
  let planned = await planCall(context, call, mayTry);
  // A route that reuses nothing is spared what waiting costs, on either side.
  if (!flights || planned.options.policy === 'off') return { planned, flight: null, waitedMs: 0 };
  let waitedMs = 0;
  const startedAt = now();
  for (;;) {
    const flight = flightWorthIt(context, flights, call, planned);
    if (!flight) break;
    const since = now();
    const result = await flights.wait(flight, startedAt, signal);
    waitedMs += now() - since;
    metrics.singleFlight.inc({ result });
    if (result === 'cancelled') break;
    planned = await planCall(context, call, mayTry);
    if (result === 'timeout') break;
  }
  if (waitedMs > 0) metrics.singleFlightWait.observe(waitedMs / 1000);
  return { planned, flight: take(flights, call, planned), waitedMs };
}
