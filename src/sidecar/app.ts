// The Express routes, nothing else.
import express, { type NextFunction, type Request, type Response } from 'express';
import { KvShareError, toErrorBody } from '../errors.ts';
import { planSchema } from '../protocol/index.ts';
import type { SidecarContext } from './context.ts';
import { handleCompletion } from './handle-completion.ts';
import { passThrough } from './passthrough.ts';
import { handlePlan } from './plan-route.ts';

const REQUEST_ID = /^[\w.:-]{1,128}$/;

function nameRequest(context: SidecarContext) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const given = request.get('x-request-id');
    const id = given !== undefined && REQUEST_ID.test(given) ? given : context.newId();
    response.locals['requestId'] = id;
    response.set('x-request-id', id);
    next();
  };
}

function modelObject(context: SidecarContext): object {
  return { id: context.modelId, object: 'model', created: 0, owned_by: 'kvshare' };
}

function readiness({ link, admission, finder, modelId }: SidecarContext): object {
  if (!link.connected) return { status: 'unavailable', causes: ['the runner is not reachable'] };
  const { backend, generation, store } = link.info;
  const isHealthy = store.tiers?.disk.isHealthy ?? true;
  return {
    status: isHealthy ? 'ready' : 'degraded',
    causes: isHealthy ? [] : ['KV cannot be written to disk'],
    model: modelId,
    backend,
    generation,
    store,
    donors: finder.index.size,
    inFlight: admission.inside,
  };
}

function sendError(context: SidecarContext) {
  // Express knows an error handler by its four parameters.
  return (error: unknown, _request: Request, response: Response, _next: NextFunction): void => {
    const requestId = response.locals['requestId'] as string;
    if (error instanceof KvShareError) {
      context.log.info({ code: error.code, requestId }, 'request refused');
    } else {
      const { name } = error as Error;
      context.log.error({ name, requestId }, 'request failed by a fault of this server');
    }
    if (response.headersSent) return void response.end();
    const status = error instanceof KvShareError ? error.status : 500;
    if (status === 429 || status === 503) response.set('retry-after', '1');
    // A body that was not read to its end must not be taken for the next request.
    if (status === 413) response.set('connection', 'close');
    response.status(status).json(toErrorBody(error));
  };
}

const methodNotAllowed =
  (allowed: string) =>
  (_request: Request, response: Response): void => {
    response.set('allow', allowed);
    throw new KvShareError('method_not_allowed', `Only ${allowed} is served here.`);
  };

export function createApp(context: SidecarContext, upstream: string | null): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  app.use(nameRequest(context));

  app
    .route('/v1/chat/completions')
    .post((request, response) => handleCompletion(context, 'chat', request, response))
    .all(methodNotAllowed('POST'));
  app
    .route('/v1/completions')
    .post((request, response) => handleCompletion(context, 'text', request, response))
    .all(methodNotAllowed('POST'));
  app
    .route('/v1/models')
    .get((_request, response) => {
      response.json({ object: 'list', data: [modelObject(context)] });
    })
    .all(methodNotAllowed('GET'));
  app
    .route('/v1/models/:id')
    .get((request, response) => {
      if (!context.modelNames.includes(request.params.id)) {
        throw new KvShareError('model_not_found', 'This server does not serve that model.');
      }
      response.json(modelObject(context));
    })
    .all(methodNotAllowed('GET'));
  app
    .route('/kvshare/plan')
    .post((request, response) => handlePlan(context, request, response))
    .all(methodNotAllowed('POST'));
  app.get('/kvshare/plan.schema.json', (_request, response) => void response.json(planSchema));

  app.get(['/livez', '/healthz'], (_request, response) => void response.json({ status: 'ok' }));
  app.get('/readyz', (_request, response) => {
    response.status(context.link.connected ? 200 : 503).json(readiness(context));
  });
  app.get('/metrics', async (_request, response) => {
    if (context.link.connected) context.metrics.store.show(context.link.info.store);
    response.type(context.metrics.contentType).send(await context.metrics.text());
  });

  if (upstream !== null) app.use(passThrough(upstream));
  app.use(() => {
    throw new KvShareError('not_found', 'No such path, and no upstream is configured.');
  });
  app.use(sendError(context));
  return app;
}
