// The Express routes, nothing else.
import express, { type NextFunction, type Request, type Response } from 'express';
import { KvShareError, toErrorBody } from '../errors.ts';
import { planSchema } from '../protocol/index.ts';
import type { SidecarContext } from './context.ts';
import { handleCompletion } from './handle-completion.ts';
import { passThrough } from './passthrough.ts';
import { handlePlan } from './plan-route.ts';
import { addProbes } from './probes.ts';

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

/** While the server drains, whoever asks for more is sent elsewhere: on a new connection. */
function refuseWhenClosed({ admission }: SidecarContext) {
  return (_request: Request, _response: Response, next: NextFunction): void => {
    admission.checkOpen();
    next();
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
    // A body that was not read to its end must not be taken for the next request; a server that goes wants none.
    if (status === 413 || context.admission.isClosed) response.set('connection', 'close');
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
  addProbes(app, context);
  app.get('/metrics', async (_request, response) => {
    if (context.link.connected) context.metrics.store.show(context.link.info.store);
    response.type(context.metrics.contentType).send(await context.metrics.text());
  });
  app.use(refuseWhenClosed(context));

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

  if (upstream !== null) app.use(passThrough(upstream));
  app.use(() => {
    throw new KvShareError('not_found', 'No such path, and no upstream is configured.');
  });
  app.use(sendError(context));
  return app;
}
