// The sidecar as a server of its own: the core behind Express, listened with.
import { createServer, type RequestListener, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listen, serverLimits } from '../listen.ts';
import type { RouteSettings } from '../routes/index.ts';
import { createApp } from './app.ts';
import { createCore, type CoreOptions, type SidecarCore } from './core.ts';
import { FAREWELL_MS, within } from './drain.ts';
import { KeyRing } from './identify.ts';
import { Monitoring } from './monitoring.ts';
import { Operator } from './operator.ts';

export interface SidecarOptions extends CoreOptions {
  /** Origin that gets every path which is not ours; without it they are 404. */
  readonly upstream?: string;
  /** Opens /metrics and the details of /readyz; without it nothing does, unless there are no tenants. */
  readonly metricsKey?: string;
}

export interface Sidecar {
  /** A listener for a server of node:http, or to be mounted at the root of another app. */
  readonly app: RequestListener;
  /** Port 0 picks a free one. Resolves when the runner has been reached once, or after two seconds. */
  listen(port: number, host: string): Promise<{ port: number }>;
  /** For the admin room. */
  readonly operator: Operator;
  /** Other reuse settings from now on; requests that have begun keep theirs. */
  reload(settings: RouteSettings): void;
  /** Nobody new is served (readyz 503 at once); answers under way get so long to finish, then end with an error. */
  close(graceMs?: number): Promise<void>;
}

const REACH_MS = 2_000;
const GRACE_MS = 2_000;

async function stop(core: SidecarCore, server: Server, graceMs: number): Promise<void> {
  const until = performance.now() + graceMs;
  await core.drain(graceMs);
  if (!server.listening) return;
  // What is proxied to the upstream gets the rest of the time.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const restMs = Math.max(FAREWELL_MS, until - performance.now());
  if (!(await within(restMs, closed))) server.closeAllConnections();
  await closed;
}

export function createSidecar(options: SidecarOptions): Sidecar {
  const core = createCore(options);
  const keys = new KeyRing(options.tenants);
  const monitoring = new Monitoring(options.metricsKey ?? null, options.tenants, keys);
  const app = createApp(core.context, monitoring, options.upstream ?? null);
  const server = createServer(serverLimits, app);
  return {
    app,
    operator: new Operator(core.context, keys, (settings) => core.reload(settings)),
    listen: async (port, host) => {
      const bound = await listen(server, { port, host });
      const { reached } = core.context.link;
      await Promise.race([reached, sleep(REACH_MS, undefined, { ref: false })]);
      return { port: bound };
    },
    reload: (settings) => core.reload(settings),
    close: async (graceMs = GRACE_MS) => {
      await stop(core, server, graceMs);
      await core.close();
    },
  };
}
