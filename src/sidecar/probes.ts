// What Kubernetes and load balancers ask: does the process live, has it come up, should it get requests. Anybody may ask;
// why not, and how much there is of everything, is told to who may watch.
import type { Express, Request } from 'express';
import { packageInfo } from '../package-info.ts';
import type { SidecarContext } from './context.ts';
import type { Monitoring } from './monitoring.ts';

export interface Health {
  readonly status: 'ready' | 'degraded' | 'unavailable' | 'draining';
  readonly causes: readonly string[];
}

const UNREACHABLE = 'the runner is not reachable';

export function healthOf({ link, admission }: Pick<SidecarContext, 'link' | 'admission'>): Health {
  if (admission.isClosed) return { status: 'draining', causes: ['the server is shutting down'] };
  if (!link.connected) return { status: 'unavailable', causes: [UNREACHABLE] };
  const isDiskHealthy = link.info.store.tiers?.disk.isHealthy ?? true;
  if (!isDiskHealthy) return { status: 'degraded', causes: ['KV cannot be written to disk'] };
  return { status: 'ready', causes: [] };
}

function detailsOf({ link, admission, finder, modelId }: SidecarContext, version: string): object {
  const own = { version, inFlight: admission.inside };
  if (!link.connected) return own;
  const { backend, generation, store } = link.info;
  return { model: modelId, backend, generation, store, donors: finder.index.size, ...own };
}

/** A degraded sidecar still serves better than none. */
const serves = ({ status }: Health): boolean => status === 'ready' || status === 'degraded';

export function addProbes(app: Express, context: SidecarContext, monitoring: Monitoring): void {
  const { version } = packageInfo();
  let hasStarted = false;
  void context.link.reached.then(() => (hasStarted = true));
  app.get(['/livez', '/healthz'], (_request, response) => {
    response.json({ status: 'ok', server: 'kvshare sidecar' });
  });
  const mayKnow = (request: Request): boolean => monitoring.allows(request.get('authorization'));
  app.get('/startupz', (request, response) => {
    // Once up it stays up: a runner that is lost later is a matter of readiness, not of starting again.
    const status = hasStarted ? 'started' : 'starting';
    const causes = hasStarted ? [] : [UNREACHABLE];
    response.status(hasStarted ? 200 : 503).json({ status, ...(mayKnow(request) && { causes }) });
  });
  app.get('/readyz', (request, response) => {
    const health = healthOf(context);
    response
      .status(serves(health) ? 200 : 503)
      .json(
        mayKnow(request)
          ? { ...health, ...detailsOf(context, version) }
          : { status: health.status },
      );
  });
}
