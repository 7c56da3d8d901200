// Wires the rooms together: options → a sidecar that can be listened with or mounted.
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import { listen } from '../listen.ts';
import type { Embedder } from '../embed/index.ts';
import { DonorIndex } from '../match/index.ts';
import type { Runner } from '../protocol/index.ts';
import { Recorder, type RecorderOptions } from '../recording/index.ts';
import { planReasons } from '../reuse/index.ts';
import {
  BreakEven,
  QualityGuard,
  RouteTable,
  rungNames,
  type RouteSettings,
} from '../routes/index.ts';
import { SidecarMetrics, type Log } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { Admission } from './admission.ts';
import { createApp } from './app.ts';
import type { SidecarContext } from './context.ts';
import { Endings } from './endings.ts';
import { GuardFile } from './guard-file.ts';
import { HotPrefixes } from './hot-prefixes.ts';
import { IdleWork } from './idle-work.ts';
import { byKey, KeyRing, type Identify, type Tenant } from './identify.ts';
import { KnownDonors } from './known-donors.ts';
import { LastRuns } from './last-runs.ts';
import { createFinder, openSimilar } from './finder.ts';
import type { Provenance } from './openai-response.ts';
import { RunnerLink } from './runner-link.ts';
import { SingleFlight } from './single-flight.ts';

export interface SidecarOptions {
  readonly runner: Runner;
  readonly tokenizer: Tokenizer;
  /** The model's name in answers. */
  readonly modelId: string;
  /** Other names that requests may use for it. */
  readonly modelAliases?: readonly string[];
  readonly tenants: readonly Tenant[];
  /** Who asks; without it the tenants' API keys tell. */
  readonly identify?: Identify;
  /** Reuse settings, general and by route. */
  readonly settings: RouteSettings;
  /** Origin that gets every path which is not ours; without it they are 404. */
  readonly upstream?: string;
  /** Finds prompts that resemble each other; without one only equal tokens are looked for. Closed with the sidecar. */
  readonly embedder?: Embedder;
  /** File that keeps vectors over a restart. */
  readonly vectorFile?: string;
  /** Whether hot prompts that are stored only approximately are computed exactly in idle moments (default). */
  readonly healing?: boolean;
  /** File that keeps what the guard knows over a restart. */
  readonly guardFile?: string;
  /** Uniform in [0, 1): which requests are compared with a full prefill. */
  readonly random?: () => number;
  readonly record?: Omit<RecorderOptions, 'onDrop'>;
  /** Whether a request waits for a prompt under way that it could use (default), instead of computing it again. */
  readonly singleFlight?: boolean;
  readonly maxBodyBytes?: number;
  /** Requests being served or waiting; the next one gets 429. */
  readonly maxInFlight?: number;
  readonly requestDeadlineMs?: number;
  readonly log: Log;
  readonly newId: () => string;
  readonly now: () => number;
}

export interface Sidecar {
  readonly app: Express;
  /** Port 0 picks a free one. Resolves when the runner has been reached once, or after two seconds. */
  listen(port: number, host: string): Promise<{ port: number }>;
  /** Other reuse settings from now on; requests that have begun keep theirs. */
  reload(settings: RouteSettings): void;
  /** Nobody new is served (readyz 503 at once); answers under way get so long to finish, then end with an error. */
  close(graceMs?: number): Promise<void>;
}

const MIB = 2 ** 20;
const REACH_MS = 2_000;
const GRACE_MS = 2_000;
/** What an answer that is ended needs to say so. */
const FAREWELL_MS = 1_000;

function recorder(metrics: SidecarMetrics): SidecarContext['record'] {
  return (route, { outcome, reason, receipt }: Provenance, ttftMs) => {
    metrics.requests.inc({ route, outcome });
    metrics.reasons.inc({ reason });
    metrics.tokens.inc({ source: 'exact' }, receipt.exactTokens);
    metrics.tokens.inc({ source: 'imported' }, receipt.importedTokens);
    metrics.tokens.inc({ source: 'recomputed' }, receipt.recomputedTokens);
    metrics.ttft.observe({ outcome }, ttftMs / 1000);
  };
}

/** What can be switched off. */
const extrasOf = ({ singleFlight = true, healing = true, now }: SidecarOptions) => ({
  singleFlight: singleFlight ? new SingleFlight(now) : null,
  hotPrefixes: healing ? new HotPrefixes() : null,
});

function openGuardFile({ guardFile, modelId, log }: SidecarOptions): GuardFile | null {
  if (guardFile === undefined) return null;
  return new GuardFile(guardFile, modelId, (error) => {
    log.warn({ name: (error as Error).name }, 'the guard’s file could not be read or written');
  });
}

/** Whether it happened in time. */
const within = (ms: number, happens: Promise<void>): Promise<boolean> =>
  Promise.race([happens.then(() => true), sleep(ms, false, { ref: false })]);

async function drain(
  { admission, endings }: SidecarContext,
  server: Server,
  graceMs: number,
): Promise<void> {
  admission.close();
  const until = performance.now() + graceMs;
  if (!(await within(graceMs, admission.empty()))) {
    endings.endAll();
    await within(FAREWELL_MS, admission.empty());
  }
  if (!server.listening) return;
  // What is proxied to the upstream gets the rest of the time.
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const restMs = Math.max(FAREWELL_MS, until - performance.now());
  if (!(await within(restMs, closed))) server.closeAllConnections();
  await closed;
}

export function createSidecar(options: SidecarOptions): Sidecar {
  const { runner, log } = options;
  const index = new DonorIndex();
  const routes = new RouteTable(options.settings);
  const metrics = new SidecarMetrics(routes.names, planReasons, rungNames);
  const meaning = openSimilar(options, metrics);
  const similar = meaning?.similar ?? null;
  const link = new RunnerLink(runner, new KnownDonors(index, similar), log, options.now);
  const admission = new Admission(options.maxInFlight ?? 64);
  const guardFile = openGuardFile(options);
  const idle = new IdleWork({ admission, log, now: options.now });
  const context: SidecarContext = {
    ...options,
    link,
    modelNames: [options.modelId, ...(options.modelAliases ?? [])],
    identify: options.identify ?? byKey(new KeyRing(options.tenants)),
    finder: createFinder(options, index, similar, metrics),
    routes,
    breakEven: new BreakEven(),
    guard: new QualityGuard(guardFile?.load()),
    guardFile,
    idle,
    ...extrasOf(options),
    lastRuns: new LastRuns(),
    recorder: options.record
      ? new Recorder({ ...options.record, onDrop: (why) => metrics.recordDrops.inc({ why }) })
      : null,
    admission,
    endings: new Endings(options.requestDeadlineMs ?? 120_000),
    metrics,
    maxBodyBytes: options.maxBodyBytes ?? 4 * MIB,
    newSeed: () => randomInt(2 ** 31),
    random: options.random ?? Math.random,
    wallClock: Date.now,
    record: recorder(metrics),
  };
  const app = createApp(context, options.upstream ?? null);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, app);
  return {
    app,
    listen: async (port, host) => {
      const bound = await listen(server, { port, host });
      await Promise.race([link.reached, sleep(REACH_MS, undefined, { ref: false })]);
      return { port: bound };
    },
    reload: (settings) => {
      routes.replace(settings);
      metrics.addRoutes(routes.names);
    },
    close: async (graceMs = GRACE_MS) => {
      await idle.close();
      guardFile?.flush();
      await drain(context, server, graceMs);
      await link.close();
      await meaning?.close();
      await context.recorder?.close();
    },
  };
}
