// The admin server: its own port, its own key, made from the endpoints that its OpenAPI document describes.
import { createServer } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { KvShareError, toErrorBody } from '../errors.ts';
import { closeNow, listen, serverLimits, type ListenOptions } from '../listen.ts';
import { OperatorKey, type Operator } from '../sidecar/index.ts';
import type { Log } from '../telemetry/index.ts';
import { auditEntryOf, AuditRing } from './audit-ring.ts';
import { readerOf, type Asked, type Endpoint } from './endpoint.ts';
import { auditEndpoints } from './endpoints/audit.ts';
import { donorEndpoints } from './endpoints/donors.ts';
import { pinEndpoints } from './endpoints/pins.ts';
import { policyEndpoints, type PolicyReader } from './endpoints/policy.ts';
import { warmEndpoints } from './endpoints/warm.ts';
import { statsOf, watchEndpoints } from './endpoints/watch.ts';
import { Inspector } from './inspector.ts';
import { LiveStats } from './live-stats.ts';
import { openApiEndpoint } from './openapi.ts';
import { addPage } from './page.ts';
import { SnapshotStream } from './snapshot-stream.ts';

export interface AdminOptions {
  readonly operator: Operator;
  readonly key: string;
  /** Names that `warm` may be asked for. */
  readonly tenants: readonly string[];
  readonly policy: PolicyReader;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Admin {
  /** Port 0 picks a free one. */
  listen(options: ListenOptions): Promise<number>;
  close(): Promise<void>;
}

const MAX_BODY = '16mb';
const NEWEST = 25;

/** Wherever the endpoint takes it; elsewhere it is refused. */
const isDryRun = ({ query, body }: Asked): boolean =>
  query['dryRun'] === true || (body as { readonly dryRun?: unknown } | null)?.dryRun === true;

function logOperation(log: Log, operation: string, asked: Asked): void {
  if (isDryRun(asked)) log.info({ operation, dryRun: true }, 'an operator asked what would change');
  else log.info({ operation }, 'an operator changed something');
}

function addEndpoint(app: express.Express, key: OperatorKey, endpoint: Endpoint, log: Log): void {
  const read = readerOf(endpoint);
  const { method, path, isOpen = false, name } = endpoint;
  app[method](
    path,
    (request: Request, response: Response, next: NextFunction) => {
      if (!isOpen) key.check(request.get('authorization'));
      response.set('cache-control', 'no-store');
      next();
    },
    express.json({ limit: MAX_BODY }),
    async (request: Request, response: Response) => {
      const asked = read(request);
      if ('stream' in endpoint) {
        endpoint.stream(response);
        return;
      }
      if (method !== 'get') logOperation(log, name, asked);
      response.json(await endpoint.handle(asked));
    },
  );
}

function sendError(log: Log) {
  // Express knows an error handler by its four parameters.
  return (error: unknown, _request: Request, response: Response, _next: NextFunction): void => {
    const isUnread = typeof (error as { type?: unknown }).type === 'string';
    const known = isUnread ? new KvShareError('invalid_json', 'The body cannot be read.') : error;
    if (!(known instanceof KvShareError)) {
      log.error({ name: (error as Error).name }, 'the admin server failed');
    }
    if (response.headersSent) return void response.end();
    const status = known instanceof KvShareError ? known.status : 500;
    if (status === 401) response.set('www-authenticate', 'Bearer realm="kvshare admin"');
    response.status(status).json(toErrorBody(known));
  };
}

export function createAdmin(options: AdminOptions): Admin {
  const { operator, key, tenants, policy, log, now } = options;
  const ring = new AuditRing();
  const stats = new LiveStats(now);
  const inspector = new Inspector(operator, now);
  const stream = new SnapshotStream(() => ({
    stats: statsOf(operator, stats),
    newest: inspector.newest(NEWEST),
  }));
  const stopObserving = operator.observe((served) => {
    ring.add(auditEntryOf(served));
    stats.add(served);
    inspector.add(served);
  });
  const endpoints = [
    ...watchEndpoints(operator, { stats, inspector, stream }),
    ...donorEndpoints(operator),
    ...pinEndpoints(operator),
    ...auditEndpoints(operator, ring),
    ...warmEndpoints(operator, tenants),
    ...policyEndpoints(operator, policy),
  ];
  const app = express();
  app.disable('x-powered-by');
  // For anybody, as at the sidecar's port: `kvshare doctor` asks who has the port.
  app.get('/livez', (_request, response) => {
    response.json({ status: 'ok', server: 'kvshare admin' });
  });
  const tenantOf = (given: string): string | null => operator.tenantOf(given);
  const adminKey = new OperatorKey(key, 'the admin port', tenantOf);
  for (const endpoint of [...endpoints, openApiEndpoint(endpoints)]) {
    addEndpoint(app, adminKey, endpoint, log);
  }
  addPage(app);
  app.use((request: Request) => {
    if (request.path.startsWith('/admin')) adminKey.check(request.get('authorization'));
    throw new KvShareError('not_found', 'No such path.');
  });
  app.use(sendError(log));
  const server = createServer(serverLimits, app);
  return {
    listen: (address) => listen(server, address),
    close: async () => {
      stopObserving();
      stream.close();
      if (server.listening) await closeNow(server);
    },
  };
}
