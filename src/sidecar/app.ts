// The Express routes, nothing else.
import express, { type NextFunction, type Request, type Response } from 'express';
import { KvShareError } from '../errors.ts';
import { planSchema } from '../protocol/index.ts';
import type { SidecarContext } from './context.ts';
import { answerError, logError } from './answer-error.ts';
import { endpointAt, planEndpoint, serves, type Endpoint } from './endpoints.ts';
import { metricsText } from './metrics-text.ts';
import type { Monitoring } from './monitoring.ts';
import { passThrough } from './passthrough.ts';
import { addProbes } from './probes.ts';
import { nameRequest } from './request-id.ts';

/** While the server drains, whoever asks for more is sent elsewhere: on a new connection. */
function refuseWhenClosed({ admission }: SidecarContext) {
  return (_request: Request, _response: Response, next: NextFunction): void => {
    admission.checkOpen();
    next();
  };
}

/** Express knows an error handler by its four parameters. */
const onError =
  ({ log, admission, metrics }: SidecarContext) =>
  (error: unknown, _request: Request, response: Response, _next: NextFunction): void => {
    metrics.errors.inc({ code: error instanceof KvShareError ? error.code : 'internal_error' });
    logError(log, error, response);
    answerError(error, response, admission.isClosed);
  };

async function serve(
  context: SidecarContext,
  endpoint: Endpoint,
  request: Request,
  response: Response,
): Promise<void> {
  if (serves(endpoint, request.method)) return endpoint.handle(context, request, response);
  response.set('allow', endpoint.method);
  throw new KvShareError('method_not_allowed', `Only ${endpoint.method} is served here.`);
}

export function createApp(
  context: SidecarContext,
  monitoring: Monitoring,
  upstream: string | null,
): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.enable('case sensitive routing');
  app.use((request, response, next) => {
    nameRequest(request, response, context.newId);
    next();
  });
  addProbes(app, context, monitoring);
  app.get('/metrics', async (request, response) => {
    monitoring.check(request.get('authorization'));
    response.type(context.metrics.contentType).send(await metricsText(context));
  });
  app.use(refuseWhenClosed(context));

  app.use('/v1', async (request, response, next) => {
    const endpoint = endpointAt(request.path);
    if (endpoint) await serve(context, endpoint, request, response);
    else next();
  });
  app.all('/kvshare/plan', (request, response) => serve(context, planEndpoint, request, response));
  app.get('/kvshare/plan.schema.json', (_request, response) => void response.json(planSchema));

  if (upstream !== null) app.use(passThrough(upstream));
  app.use(() => {
    throw new KvShareError('not_found', 'No such path, and no upstream is configured.');
  });
  app.use(onError(context));
  return app;
}
