// The front of the mount: `app.use('/v1', kvshare({ … }))` in Express 4 and 5 and whatever else takes a middleware, the
// same object as a plugin for Fastify and as a listener for node:http.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KvShareError } from '../errors.ts';
import {
  answerError,
  pathIn,
  type SidecarEventMap,
  type SidecarEvents,
  type SidecarListener,
} from '../sidecar/index.ts';
import { fastifyPlugin, type FastifyPlugin } from './fastify.ts';
import { Mount, type MountHealth, type Next } from './mount.ts';
import type { KvShareOptions } from './options.ts';

export interface KvShare {
  /** The middleware. Requests that are not ours go to `next`. */
  (request: IncomingMessage, response: ServerResponse, next: Next): void;
  /** For `app.register(kv.fastify, { prefix: '/v1' })`. */
  readonly fastify: FastifyPlugin;
  /** For `http.createServer(kv.listener('/v1'))`; without `next`, other paths are answered with 404. */
  listener(
    prefix: string,
  ): (request: IncomingMessage, response: ServerResponse, next?: Next) => void;
  /** Listeners get names, numbers and ids, no text. What they throw is logged and hurts no request. */
  on<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): this;
  once<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): this;
  off<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): this;
  /** Resolves when requests can be served; rejects with what is in the way. */
  ready(): Promise<void>;
  /** Prometheus' text format. */
  metrics(): Promise<string>;
  /** For the app's own readiness probe: whether requests are served, and why not. */
  health(): MountHealth;
  /**
   * Call it when the app is told to end, before its server is closed. At once new requests get 503 `shutting_down` (or
   * go to `next`, as while starting); answers under way have `graceMs` (25,000) to finish, then end with an error
   * event. Then work in the background is over, files are written, and the runner is let go of; one that was handed in
   * stays open.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

function listenerOf<R>(mount: Mount<R>): KvShare['listener'] {
  return (prefix) =>
    (request, response, next): void => {
      const goOn: Next =
        next ??
        ((error) => answerError(error ?? new KvShareError('not_found', 'No such path.'), response));
      const path = pathIn(request.url ?? '/');
      if (!path.startsWith(`${prefix}/`)) {
        goOn();
        return;
      }
      void mount.handle(path.slice(prefix.length), request, response, goOn);
    };
}

/** As EventEmitter does: the same object again, for the next call. */
const then =
  <T>(events: SidecarEvents, method: 'on' | 'once' | 'off', self: () => T) =>
  <N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): T => {
    events[method](name, listener);
    return self();
  };

/** Starts to get ready at once. Throws KvShareError `config_invalid`. */
export function kvshare<R = IncomingMessage>(options: KvShareOptions<R>): KvShare {
  const mount = new Mount(options);
  const middleware = (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    void mount.handle(pathIn(request.url ?? '/'), request, response, next);
  };
  const face: KvShare = Object.assign(middleware, {
    fastify: fastifyPlugin(mount),
    listener: listenerOf(mount),
    on: then(mount.events, 'on', () => face),
    once: then(mount.events, 'once', () => face),
    off: then(mount.events, 'off', () => face),
    ready: () => mount.ready(),
    metrics: () => mount.metrics(),
    health: () => mount.health(),
    close: (options?: { readonly graceMs?: number }) => mount.close(options),
  });
  return face;
}
