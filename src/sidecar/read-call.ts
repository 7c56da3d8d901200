// Step 1 of a request: from bytes to a call. Who asks, from the head alone; the body once, bounded; both before a place
// is taken; tokens by the runner's own tokenizer.
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/index.ts';
import type { Route } from '../routes/index.ts';
import { readCacheControl, readMinSimilarity, type CacheControl } from './cache-control.ts';
import type { SidecarContext } from './context.ts';
import { identityOf, type Identity, type Principal } from './identify.ts';
import { headerOf, sentPathOf } from './message.ts';
import { readCompletionRequest, type CompletionRequest } from './openai-request.ts';
import { parsedBody, sentBody } from './read-body.ts';

export type CompletionKind = CompletionRequest['kind'];

/** A request, understood: who asks what, and which tokens that is. */
export interface Call {
  readonly id: string;
  readonly asked: CompletionRequest;
  readonly identity: Identity;
  readonly cache: CacheControl;
  /** Stricter than the route's, or 0. */
  readonly minSimilarity: number;
  readonly route: Route;
  readonly prompt: EncodedPrompt;
}

/** The dry run is planned as if the prompt had come to its own path, beside it or below /v1. */
function pathOf(kind: CompletionKind, dryRunPath: string): string {
  const base = dryRunPath.replace(/\/kvshare\/plan\/?$/, '') || '/v1';
  return `${base}/${kind === 'chat' ? 'chat/completions' : 'completions'}`;
}

function encode(tokenizer: Tokenizer, asked: CompletionRequest, maxTokens: number): EncodedPrompt {
  if (asked.kind === 'chat') return tokenizer.encodeChat(asked.messages, maxTokens);
  return typeof asked.prompt === 'string'
    ? tokenizer.encodePrompt(asked.prompt, maxTokens)
    : tokenizer.readTokens(asked.prompt, maxTokens);
}

function promptOf(context: SidecarContext, asked: CompletionRequest): EncodedPrompt {
  const start = context.now();
  const prompt = encode(context.tokenizer, asked, context.link.info.model.contextLength - 1);
  context.metrics.tokenize.observe((context.now() - start) / 1000);
  return prompt;
}

export type Body = Readonly<Record<string, unknown>>;

export interface Received {
  readonly principal: Principal | null;
  readonly body: Body;
}

/**
 * Before a request takes a place inside: neither a client that is slow to send nor an app that is slow to say who asks
 * may hold one.
 */
export async function receive(
  { admission, identify, bodies }: SidecarContext,
  request: IncomingMessage,
): Promise<Received> {
  admission.checkRoom();
  const parsed = parsedBody(request, bodies);
  // Before the body is read, so that nobody's is kept until that is known.
  const principal = await identify(request);
  return { principal, body: parsed ?? (await sentBody(request, bodies)) };
}

/** Throws KvShareError with a 4xx code, or `runner_unavailable`. */
export function readCall(
  context: SidecarContext,
  expected: CompletionKind | 'either',
  request: IncomingMessage,
  { id, body, principal }: Received & { readonly id: string },
): Call {
  const cache = readCacheControl(headerOf(request, 'x-kvshare-cache-control'));
  const minSimilarity = readMinSimilarity(headerOf(request, 'x-kvshare-min-similarity'));
  const found: CompletionKind = 'messages' in body ? 'chat' : 'text';
  const kind = expected === 'either' ? found : expected;
  const asked = readCompletionRequest(kind, body);
  const { user, cacheSalt: salt } = asked;
  const identity = identityOf(principal, { id: context.newId(), salt, user });
  if (!context.modelNames.includes(asked.model)) {
    throw new KvShareError('model_not_found', 'This server does not serve that model.', 'model');
  }
  const prompt = promptOf(context, asked);
  const route = context.routes.find({
    path: expected === 'either' ? pathOf(kind, sentPathOf(request)) : sentPathOf(request),
    model: asked.model,
    tenant: identity.tenant,
    key: identity.key,
    header: (name) => headerOf(request, name),
  });
  return { id, asked, identity, cache, minSimilarity, route, prompt };
}
