// What Kubernetes and load balancers ask: does the process live, has it come up, should it get requests. Whoever says
// no says why.
import type { Express } from 'express';
import type { SidecarContext } from './context.ts';

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

function detailsOf({ link, admission, finder, modelId }: SidecarContext): object {
  const inFlight = { inFlight: admission.inside };
  if (!link.connected) return inFlight;
  const { backend, generation, store } = link.info;
  return { model: modelId, backend, generation, store, donors: finder.index.size, ...inFlight };
}

/** A degraded sidecar still serves better than none. */
const serves = ({ status }: Health): boolean => status === 'ready' || status === 'degraded';

export function addProbes(app: Express, context: SidecarContext): void {
  let hasStarted = false;
  void context.link.reached.then(() => (hasStarted = true));
  app.get(['/livez', '/healthz'], (_request, response) => void response.json({ status: 'ok' }));
  app.get('/startupz', (_request, response) => {
    // Once up it stays up: a runner that is lost later is a matter of readiness, not of starting again.
    if (hasStarted) response.json({ status: 'started', causes: [] });
    else response.status(503).json({ status: 'starting', causes: [UNREACHABLE] });
  });
  app.get('/readyz', (_request, response) => {
    const health = healthOf(context);
    response.status(serves(health) ? 200 : 503).json({ ...health, ...detailsOf(context) });
  });
}
