// Step 1 of a request: from bytes to a call. The body once, bounded; identity from the key alone; tokens by
// the runner's own tokenizer.
import type { Request } from 'express';
import { KvShareError } from '../errors.ts';
import type { EncodedPrompt } from '../tokenizer/index.ts';
import type { Route } from '../routes/index.ts';
import { readCacheControl, readMinSimilarity, type CacheControl } from './cache-control.ts';
import type { SidecarContext } from './context.ts';
import { identify, type Identity } from './identify.ts';
import { readCompletionRequest, type CompletionRequest } from './openai-request.ts';
import { readJsonBody } from './read-body.ts';

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

/** The dry run is planned as if the prompt had come to its own path. */
const pathOf = (kind: CompletionKind): string =>
  kind === 'chat' ? '/v1/chat/completions' : '/v1/completions';

/** Throws KvShareError with a 4xx code, or `runner_unavailable`. */
export async function readCall(
  context: SidecarContext,
  expected: CompletionKind | 'either',
  request: Request,
  id: string,
): Promise<Call> {
  const cache = readCacheControl(request.get('x-kvshare-cache-control'));
  const minSimilarity = readMinSimilarity(request.get('x-kvshare-min-similarity'));
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
  const route = context.routes.find({
    path: expected === 'either' ? pathOf(kind) : request.path,
    model: asked.model,
    tenant: identity.tenant,
    key: identity.key,
    header: (name) => request.get(name),
  });
  return { id, asked, identity, cache, minSimilarity, route, prompt };
}
