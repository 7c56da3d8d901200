// Step 3 of a request: tokens and plan to the runner. A plan that the runner refuses (something changed since it
// was made) costs the reuse, not the answer.
import { KvShareError } from '../errors.ts';
import type { GenerateEvent, GenerateRequest, ReusePlan } from '../protocol/index.ts';
import type { PlanDecision } from '../reuse/index.ts';
import type { Trace } from '../telemetry/index.ts';
import type { SidecarContext } from './context.ts';
import type { Call } from './read-call.ts';
import { refOf } from './tell.ts';

/** In a tenth of the time that Array.from takes. */
function numbersOf(tokens: Int32Array): number[] {
  const all = new Array<number>(tokens.length);
  for (let at = 0; at < tokens.length; at++) all[at] = tokens[at]!;
  return all;
}

export function generateRequestOf(
  context: Pick<SidecarContext, 'link' | 'newSeed' | 'tokenizer'>,
  { id, asked, identity, cache, prompt }: Call,
  plan: ReusePlan | null,
): GenerateRequest {
  const room = context.link.info.model.contextLength - prompt.tokens.length;
  return {
    requestId: id,
    scope: identity.scope,
    owner: identity.owner,
    tokens: numbersOf(prompt.tokens),
    plan,
    store: cache.store && !identity.anonymous,
    sampling: {
      temperature: asked.temperature,
      topP: asked.topP,
      seed: asked.seed ?? context.newSeed(),
      maxTokens: Math.min(asked.maxTokens, room),
      stopTokens: context.tokenizer.stopTokens,
    },
  };
}

export async function* forwardCall(
  context: SidecarContext,
  call: Call,
  decision: PlanDecision,
  { signal, trace }: { readonly signal: AbortSignal; readonly trace: Trace },
): AsyncGenerator<GenerateEvent> {
  const { traceparent } = trace;
  const request = {
    ...generateRequestOf(context, call, decision.plan),
    ...(traceparent !== undefined && { traceparent }),
  };
  try {
    yield* context.runner.generate(request, signal);
  } catch (error) {
    const refused = error instanceof KvShareError && error.code.startsWith('plan_');
    if (!refused || request.plan === null) throw error;
    context.metrics.failOpen.inc({ stage: 'runner' });
    context.log.warn(
      { code: error.code, requestId: request.requestId },
      'plan refused, going cold',
    );
    context.events.emit('fallback', { ...refOf(call), stage: 'runner', cause: error.code });
    yield* context.runner.generate({ ...request, plan: null }, signal);
  }
}
