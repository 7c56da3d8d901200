// Prompts computed before the first user comes: a guideline as the system's or the user's text, kept like any other
// prompt of that tenant. At most an exact prefix of it is reused, so that all of it may serve others.
import { KvShareError } from '../errors.ts';

import { startTrace } from '../telemetry/index.ts';
import type { ChatMessage } from '../tokenizer/index.ts';
import type { SidecarContext } from './context.ts';
import { planCall } from './find-plan.ts';
import { forwardCall } from './forward-call.ts';
import { identityOf } from './identify.ts';
import { readCompletionRequest } from './openai-request.ts';
import type { Call } from './read-call.ts';
import { ServedNote } from './served.ts';

export type WarmPrompt = readonly ChatMessage[];

export interface Warmed {
  /** Null = it was not kept: too large, or nothing like it was seen before. */
  readonly segment: string | null;
  readonly tokens: number;
  readonly exactTokens: number;
  readonly ms: number;
}

function callOf(context: SidecarContext, tenant: string, messages: WarmPrompt): Call {
  const body = { model: context.modelId, messages, max_tokens: 1, temperature: 0 };
  const asked = readCompletionRequest('chat', body);
  const { contextLength } = context.link.info.model;
  const { reuse, ...route } = context.routes.find({
    path: '/v1/chat/completions',
    model: context.modelId,
    tenant,
    key: null,
    header: () => undefined,
  });
  const options = { ...reuse.options, policy: 'exact' as const };
  return {
    id: context.newId(),
    asked,
    identity: identityOf({ tenant, key: null }, { id: '', salt: null, user: null }),
    cache: { lookup: true, store: true, maxAgeMs: null },
    minSimilarity: 0,
    route: { ...route, reuse: { ...reuse, options } },
    prompt: context.tokenizer.encodeChat(asked.messages, contextLength - 1),
  };
}

/** Throws KvShareError: `context_length_exceeded`, `queue_full`, what the runner says. */
export async function warmUp(
  context: SidecarContext,
  tenant: string,
  messages: WarmPrompt,
  signal: AbortSignal,
): Promise<Warmed> {
  const start = context.now();
  const place = context.admission.enter(tenant);
  context.idle.giveWay();
  const trace = startTrace('kvshare.warm', {});
  try {
    const { epoch } = context.ledger;
    const call = callOf(context, tenant, messages);
    const planned = await planCall(context, call, () => true);
    const note = new ServedNote(context, call, planned, epoch);
    let exactTokens = 0;
    let segment: string | null = null;
    const how = { signal, trace };
    for await (const event of forwardCall(context, call, planned.decision, how)) {
      if (event.type === 'receipt') ({ exactTokens } = event.receipt);
      else if (event.type === 'error') throw new KvShareError(event.code, event.message);
      else if (event.type === 'stored') {
        note.keep(event.context);
        ({ segment } = event.context);
      }
    }
    return { segment, tokens: call.prompt.tokens.length, exactTokens, ms: context.now() - start };
  } finally {
    trace.end();
    place.leave();
  }
}
