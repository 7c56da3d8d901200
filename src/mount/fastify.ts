// The mount as a Fastify plugin: our routes, whose bodies are left to us, answered on the raw response. Fastify's types
// are described, not imported: whoever mounts us there has them.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { endpointPaths, pathIn } from '../sidecar/index.ts';
import type { Mount } from './mount.ts';

interface FastifyRequestLike {
  readonly raw: IncomingMessage;
}

interface FastifyReplyLike {
  readonly raw: ServerResponse;
  getHeaders(): Record<string, number | string | string[] | undefined>;
  hijack(): unknown;
  callNotFound(): unknown;
}

interface FastifyLike {
  readonly prefix: string;
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    type: string,
    parser: (request: never, payload: never, done: (error: Error | null) => void) => void,
  ): unknown;
  route(route: {
    method: string;
    url: string;
    handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<void>;
  }): unknown;
}

export type FastifyPlugin = (
  instance: FastifyLike,
  options: unknown,
  done: (error?: Error) => void,
) => void;

async function answer<R>(
  mount: Mount<R>,
  prefix: string,
  request: FastifyRequestLike,
  reply: FastifyReplyLike,
): Promise<void> {
  const { raw } = request;
  mount.view(raw, request as R);
  // What hooks have set so far (CORS, cookies) would be lost with Fastify's own way of answering.
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  let handedOn: { readonly error: unknown } | null = null;
  const path = pathIn(raw.url ?? '/').slice(prefix.length);
  await mount.handle(path, raw, reply.raw, (error) => (handedOn = { error }));
  const passed = handedOn as { readonly error: unknown } | null;
  if (!passed) return void reply.hijack();
  // Whatever it is, `bypass` of the app has thrown it, or we a KvShareError.
  if (passed.error !== undefined) throw passed.error as Error;
  reply.callNotFound();
}

export function fastifyPlugin<R>(mount: Mount<R>): FastifyPlugin {
  return (instance, _options, done) => {
    // In this plugin's own context only: the body stays a stream, for us to read within our limits.
    instance.removeAllContentTypeParsers();
    instance.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    for (const { method, path } of [...endpointPaths, { method: 'POST', path: '/kvshare/plan' }]) {
      instance.route({
        method,
        url: path,
        handler: (request, reply) => answer(mount, instance.prefix, request, reply),
      });
    }
    done();
  };
}
