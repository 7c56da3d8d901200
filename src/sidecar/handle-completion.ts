// STORY 1: one completion through the sidecar. read → plan → forward → relay → remember. Everything before
// `forward` fails open: at worst the prompt is computed cold.
import type { Request, Response } from 'express';
import { KvShareError } from '../errors.ts';
import type { GenerateEvent, GenerateRequest } from '../protocol/index.ts';
import type { PlanDecision } from '../reuse/index.ts';
import type { EncodedPrompt } from '../tokenizer/index.ts';
import { answerEvents } from './answer-events.ts';
import { readCacheControl, type CacheControl } from './cache-control.ts';
import type { SidecarContext } from './context.ts';
import { coldDecision, findPlan } from './find-plan.ts';
import { identify, type Identity } from './identify.ts';
import { readCompletionRequest, type CompletionRequest } from './openai-request.ts';
import { provenanceOf, type AnswerHead } from './openai-response.ts';
import { readJsonBody } from './read-body.ts';
import { sendStream, sendWhole, type AnswerJob } from './send-answer.ts';
import { StopStrings } from './stop-strings.ts';

type CompletionKind = CompletionRequest['kind'];

/** A request, understood: who asks what, and which tokens that is. */
export interface Call {
  readonly id: string;
  readonly asked: CompletionRequest;
  readonly identity: Identity;
  readonly cache: CacheControl;
  readonly prompt: EncodedPrompt;
}

/** Step 1: the body once, bounded; identity from the key alone. */
export async function readCall(
  context: SidecarContext,
  expected: CompletionKind | 'either',
  request: Request,
  id: string,
): Promise<Call> {
  const cache = readCacheControl(request.get('x-kvshare-cache-control'));
  const body = await readJsonBody(request, context.maxBodyBytes);
  const found: CompletionKind = 'messages' in body ? 'chat' : 'text';
  const kind = expected === 'either' ? found : expected;
  const asked = readCompletionRequest(kind, body);
  const { user, cacheSalt: salt } = asked;
  const identity = identify(context.keys, request.get('authorization'), { id, user, salt });
  if (!context.modelNames.includes(asked.model)) {
    throw new KvShareError('model_not_found', 'This server does not serve that model.', 'model');
  }
  const { contextLength } = context.link.info.model;
  const prompt =
    kind === 'chat'
      ? context.tokenizer.encodeChat(asked.messages, contextLength - 1)
      : context.tokenizer.encodePrompt(asked.prompt, contextLength - 1);
  return { id, asked, identity, cache, prompt };
}

/** Step 2: donors → plan. */
export function planCall(context: SidecarContext, { cache, prompt, identity }: Call): PlanDecision {
  if (!cache.lookup || identity.anonymous) {
    return coldDecision(prompt.tokens.length, cache.lookup ? 'no-donor' : 'bypass');
  }
  const start = context.now();
  const decision = findPlan(context.finder, prompt, identity, context.link.info);
  context.metrics.lookup.observe((context.now() - start) / 1000);
  return decision;
}

function generateRequest(
  context: SidecarContext,
  { id, asked, identity, cache, prompt }: Call,
  decision: PlanDecision,
): GenerateRequest {
  const room = context.link.info.model.contextLength - prompt.tokens.length;
  return {
    requestId: id,
    scope: identity.scope,
    owner: identity.owner,
    tokens: Array.from(prompt.tokens),
    plan: decision.plan,
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

/** Step 3: a plan that the runner refuses (it changed since) costs the reuse, not the answer. */
async function* forward(
  context: SidecarContext,
  request: GenerateRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent> {
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
    yield* context.runner.generate({ ...request, plan: null }, signal);
  }
}

export async function handleCompletion(
  context: SidecarContext,
  kind: 'chat' | 'text',
  request: Request,
  response: Response,
): Promise<void> {
  const startedAt = context.now();
  const leave = context.admission.enter();
  const ending = context.endings.start(response);
  try {
    const call = await readCall(context, kind, request, response.locals['requestId'] as string);
    const decision = planCall(context, call);
    const signal = ending.signal;
    const stopRunner = new AbortController();
    const runnerSignal = AbortSignal.any([signal, stopRunner.signal]);
    const events = forward(context, generateRequest(context, call, decision), runnerSignal);
    const answer = answerEvents(events, {
      decoder: context.tokenizer.streamDecoder(),
      stops: new StopStrings(call.asked.stop),
      onStored: (stored) => context.link.remember(stored),
      onStopString: () => stopRunner.abort(),
    });
    let ttftMs = 0;
    const job: AnswerJob = {
      response,
      head: headOf(context, call),
      promptTokens: call.prompt.tokens.length,
      includeUsage: call.asked.includeUsage,
      provenance: (receipt) => provenanceOf(decision, receipt, context.finder.options.policy),
      onFirstText: () => (ttftMs = context.now() - startedAt),
      signal,
    };
    const provenance = await (call.asked.stream ? sendStream : sendWhole)(answer, job);
    context.record(kind, provenance, ttftMs);
  } catch (error) {
    throw ending.explain(error);
  } finally {
    ending.done();
    leave();
  }
}

function headOf(context: SidecarContext, { id, asked }: Call): AnswerHead {
  const prefix = asked.kind === 'chat' ? 'chatcmpl' : 'cmpl';
  return {
    kind: asked.kind,
    id: `${prefix}-${id}`,
    created: Math.floor(context.wallClock() / 1000),
    model: context.modelId,
  };
}
