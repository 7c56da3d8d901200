// The runner port over HTTP: what `kvshare runner` listens with. Token ids in, events out; no text ever.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import express, { type NextFunction, type Request, type Response } from 'express';
import { KvShareError, toErrorBody } from '../errors.ts';
import { closeNow, listen, type ListenOptions } from '../listen.ts';
import { packageInfo } from '../package-info.ts';
import type { CompareRequest, GenerateRequest, Runner } from '../protocol/index.ts';
import { addControlRoutes } from './control-routes.ts';
import { Running } from './running.ts';
import { BEAT_MS, encodeBeat, encodeEvent, paths } from '../protocol/wire.ts';
import { traceGeneration } from './trace-generation.ts';

export interface RunnerServer {
  readonly port: number;
  /** Nothing new is begun; what is being generated gets so long to finish. */
  close(graceMs?: number): Promise<void>;
}

const MAX_BODY = '16mb';

function checkShape(body: unknown): GenerateRequest {
  const request = body as Partial<GenerateRequest> | undefined;
  const good =
    typeof request === 'object' &&
    typeof request.requestId === 'string' &&
    typeof request.scope === 'string' &&
    (request.owner === null || typeof request.owner === 'string') &&
    Array.isArray(request.tokens) &&
    typeof request.sampling === 'object' &&
    Array.isArray(request.sampling.stopTokens) &&
    typeof request.store === 'boolean';
  if (!good) throw new KvShareError('invalid_request', 'The body is not a generate request.');
  return request as GenerateRequest;
}

function checkComparison(body: unknown): CompareRequest {
  const request = body as Partial<CompareRequest> | undefined;
  const good =
    typeof request === 'object' &&
    typeof request.requestId === 'string' &&
    typeof request.scope === 'string' &&
    (request.owner === null || typeof request.owner === 'string') &&
    Array.isArray(request.tokens) &&
    Array.isArray(request.answer) &&
    typeof request.plan === 'object';
  if (!good) throw new KvShareError('invalid_request', 'The body is not a compare request.');
  return request as CompareRequest;
}

/** Writes events as they come; ends with the stream, or tears the socket down when it fails. */
async function relay(
  events: AsyncIterable<object>,
  response: Response,
  abort: AbortController,
): Promise<void> {
  response.on('close', () => abort.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  const beat = setInterval(() => response.write(encodeBeat()), BEAT_MS);
  try {
    for await (const event of events) {
      if (!response.write(encodeEvent(event)) && !response.destroyed) {
        await new Promise<void>((resolve) => {
          response.once('drain', resolve).once('close', resolve);
        });
      }
    }
    response.end();
  } catch {
    response.destroy();
  } finally {
    clearInterval(beat);
  }
}

function createApp(runner: Runner, running: Running): express.Express {
  const app = express();
  app.disable('x-powered-by');
  const { version } = packageInfo();
  app.get(paths.livez, (_request, response) => {
    response.json({ status: 'ok', server: 'kvshare runner', version });
  });
  app.get(paths.info, async (_request, response) => void response.json(await runner.info()));
  app.get(paths.watch, async (_request, response) => {
    const abort = new AbortController();
    await relay(runner.watch(abort.signal), response, abort);
  });
  app.post(paths.generate, express.json({ limit: MAX_BODY }), async (request, response) => {
    const leave = running.enter();
    try {
      const abort = new AbortController();
      const asked = checkShape(request.body);
      const events = runner.generate(asked, abort.signal);
      await relay(traceGeneration(asked, events), response, abort);
    } finally {
      leave();
    }
  });
  app.post(paths.compare, express.json({ limit: MAX_BODY }), async (request, response) => {
    if (!runner.compare) throw new KvShareError('not_found', 'This runner does not compare.');
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    response.json(await runner.compare(checkComparison(request.body), abort.signal));
  });
  if (runner.control) addControlRoutes(app, runner.control);
  app.use((_request, _response, next) => next(new KvShareError('not_found', 'No such path.')));
  app.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const parsing = (error as { type?: unknown }).type;
    const known =
      typeof parsing === 'string'
        ? new KvShareError(
            parsing === 'entity.too.large' ? 'body_too_large' : 'invalid_json',
            'The body could not be read.',
          )
        : error;
    const status = known instanceof KvShareError ? known.status : 500;
    response.status(status).json(toErrorBody(known));
  });
  return app;
}

/** Port 0 picks a free one. */
export async function serveRunner(runner: Runner, options: ListenOptions): Promise<RunnerServer> {
  const running = new Running();
  const server = createServer(createApp(runner, running));
  return {
    port: await listen(server, options),
    close: async (graceMs = 0) => {
      running.isClosed = true;
      await Promise.race([running.idle(), sleep(graceMs, undefined, { ref: false })]);
      await closeNow(server);
      await runner.close();
    },
  };
}
