// One mounted KVShare, whatever framework it is mounted in: decides which requests are ours, has them served by the
// sidecar's own endpoints, and hands everything else on.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { KvShareError, toErrorBody } from '../errors.ts';
import {
  answerError,
  endpointAt,
  healthOf,
  logError,
  metricsText,
  nameRequest,
  planEndpoint,
  serves,
  SidecarEvents,
  type Endpoint,
  type Health,
} from '../sidecar/index.ts';
import { createLog, type Log } from '../telemetry/index.ts';
import { identifyBy } from './app-identify.ts';
import { openMount } from './open-mount.ts';
import { readMountSettings, type KvShareOptions } from './options.ts';
import { Startup } from './startup.ts';

export type Next = (error?: unknown) => void;

/** As `kvshare sidecar` has it: Kubernetes kills after 30 seconds. */
const GRACE_MS = 25_000;

/** Before there is a sidecar to ask. */
export type MountHealth = Omit<Health, 'status'> & {
  readonly status: Health['status'] | 'starting';
};

/** Below wherever KVShare is mounted; the dry run comes along. */
const mountedEndpointAt = (path: string): Endpoint | null =>
  path === '/kvshare/plan' ? planEndpoint : endpointAt(path);

export class Mount<R> {
  readonly events: SidecarEvents;
  readonly #options: KvShareOptions<R>;
  readonly #log: Log;
  readonly #startup: Startup;
  readonly #views = new WeakMap<IncomingMessage, R>();
  #closing: Promise<void> | null = null;

  constructor(options: KvShareOptions<R>) {
    const settings = readMountSettings(options);
    this.#options = options;
    const log = options.log ?? createLog({ level: 'warn', name: 'kvshare' });
    this.#log = log;
    this.events = new SidecarEvents(log);
    const identify = identifyBy(options, (request) => this.#viewOf(request), log);
    const { events } = this;
    this.#startup = new Startup(() => openMount(options, { settings, identify, log, events }), log);
  }

  /** Resolves when requests can be served; rejects with what is in the way. */
  async ready(): Promise<void> {
    const { context } = await this.#startup.opened();
    await context.link.reached;
  }

  /** In Prometheus' text format; empty until it is ready. */
  async metrics(): Promise<string> {
    const { core } = this.#startup;
    return core ? metricsText(core.context) : '';
  }

  health(): MountHealth {
    const { core, isClosed } = this.#startup;
    if (isClosed) return { status: 'draining', causes: ['KVShare is being closed'] };
    return core ? healthOf(core.context) : { status: 'starting', causes: ['KVShare gets ready'] };
  }

  close({ graceMs = GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#startup.close(graceMs));
  }

  /** How the app's framework calls this request, for `identify` and `bypass`. */
  view(request: IncomingMessage, as: R): void {
    this.#views.set(request, as);
  }

  /** `path` is relative to the mount. Resolves when the request is answered or handed on; never rejects. */
  async handle(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    next: Next,
  ): Promise<void> {
    const endpoint = mountedEndpointAt(path);
    const isOurs = endpoint !== null && serves(endpoint, request.method);
    if (!isOurs || this.#isPassedOn()) {
      next();
      return;
    }
    try {
      if (this.#isBypassed(request)) {
        next();
        return;
      }
    } catch (error) {
      next(error);
      return;
    }
    nameRequest(request, response, randomUUID);
    try {
      const { context } = await this.#startup.wait();
      await endpoint.handle(context, request, response);
    } catch (error) {
      this.#fail(error, response, next);
    }
  }

  #viewOf(request: IncomingMessage): R {
    return this.#views.get(request) ?? (request as R);
  }

  /** The app's own handler takes over while there is nobody here. */
  #isPassedOn(): boolean {
    const { core, isClosed } = this.#startup;
    return this.#options.whileStarting === 'next' && (core === null || isClosed);
  }

  #isBypassed(request: IncomingMessage): boolean {
    const { bypass = false } = this.#options;
    return typeof bypass === 'function' ? bypass(this.#viewOf(request)) : bypass;
  }

  #fail(error: unknown, response: ServerResponse, next: Next): void {
    logError(this.#log, error, response);
    const code = error instanceof KvShareError ? error.code : 'internal_error';
    this.#startup.core?.context.metrics.errors.inc({ code });
    const isOver = response.headersSent || response.destroyed;
    if (this.#options.errors !== 'next' || isOver) {
      answerError(error, response, this.#startup.isClosed);
      return;
    }
    // What is no KvShareError is a fault of ours, whose text may hold a prompt.
    const { message } = toErrorBody(error).error;
    next(error instanceof KvShareError ? error : new KvShareError('internal_error', message));
  }
}
