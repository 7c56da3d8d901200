// OpenAI's paths below /v1 and what serves them: the one list for the sidecar's own server and for every app that
// mounts KVShare.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KvShareError } from '../errors.ts';
import type { SidecarContext } from './context.ts';
import { handleCompletion } from './handle-completion.ts';
import { sendJson } from './message.ts';
import { handlePlan } from './plan-route.ts';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** Throws, or rejects with, what `answerError` understands. */
  readonly handle: (
    context: SidecarContext,
    request: IncomingMessage,
    response: ServerResponse,
  ) => void | Promise<void>;
}

const modelObject = ({ modelId }: SidecarContext): object => ({
  id: modelId,
  object: 'model',
  created: 0,
  owned_by: 'kvshare',
});

/** To whoever may ask for completions: a key that is unknown there is unknown here. An app's identify refuses nobody. */
const tellModels = (answer: (context: SidecarContext) => object): Endpoint => ({
  method: 'GET',
  handle: async (context, request, response) => {
    if (context.refusesUnknown) await context.identify(request);
    sendJson(response, 200, answer(context));
  },
});

export const planEndpoint: Endpoint = { method: 'POST', handle: handlePlan };

const endpoints = new Map<string, Endpoint>([
  [
    '/chat/completions',
    { method: 'POST', handle: (context, ...http) => handleCompletion(context, 'chat', ...http) },
  ],
  [
    '/completions',
    { method: 'POST', handle: (context, ...http) => handleCompletion(context, 'text', ...http) },
  ],
  ['/models', tellModels((context) => ({ object: 'list', data: [modelObject(context)] }))],
]);

const modelEndpoint = (id: string): Endpoint =>
  tellModels((context) => {
    if (context.modelNames.includes(id)) return modelObject(context);
    throw new KvShareError('model_not_found', 'This server does not serve that model.');
  });

/** All of them, for frameworks that want to know. */
export const endpointPaths: readonly {
  readonly method: Endpoint['method'];
  readonly path: string;
}[] = [
  ...[...endpoints].map(([path, { method }]) => ({ method, path })),
  { method: 'GET', path: '/models/:id' },
];

/** What stands at a path relative to /v1, as the request spells it; null = not ours. */
export function endpointAt(path: string): Endpoint | null {
  const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const model = /^\/models\/([^/]+)$/.exec(plain)?.[1];
  if (model === undefined) return endpoints.get(plain) ?? null;
  try {
    return modelEndpoint(decodeURIComponent(model));
  } catch {
    return null;
  }
}

/** HEAD is a GET whose body node:http leaves out. */
export const serves = ({ method }: Endpoint, asked: string | undefined): boolean =>
  asked === method || (asked === 'HEAD' && method === 'GET');
