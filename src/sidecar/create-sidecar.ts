// Wires the rooms together: options → a sidecar that can be listened with or mounted.
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import { KvShareError } from '../errors.ts';
import type { Embedder } from '../embed/index.ts';
import { DonorIndex } from '../match/index.ts';
import type { Runner } from '../protocol/index.ts';
import { Recorder, type RecorderOptions } from '../recording/index.ts';
import { planReasons } from '../reuse/index.ts';
import { BreakEven, RouteTable, type RouteSettings } from '../routes/index.ts';
import { SidecarMetrics, type Log } from '../telemetry/index.ts';
import { SimilarPrompts } from '../similar/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { VectorIndexes } from '../vectors/index.ts';
import { Admission } from './admission.ts';
import { createApp } from './app.ts';
import type { PlanFinder, SidecarContext } from './context.ts';
import { Endings } from './endings.ts';
import { KeyRing, type Tenant } from './identify.ts';
import { KnownDonors } from './known-donors.ts';
import { LastRuns } from './last-runs.ts';
import type { Provenance } from './openai-response.ts';
import { RunnerLink } from './runner-link.ts';

export interface SidecarOptions {
  readonly runner: Runner;
  readonly tokenizer: Tokenizer;
  /** The model's name in answers. */
  readonly modelId: string;
  /** Other names that requests may use for it. */
  readonly modelAliases?: readonly string[];
  readonly tenants: readonly Tenant[];
  /** Reuse settings, general and by route. */
  readonly settings: RouteSettings;
  /** Origin that gets every path which is not ours; without it they are 404. */
  readonly upstream?: string;
  /** Finds prompts that resemble each other; without one only equal tokens are looked for. Closed with the sidecar. */
  readonly embedder?: Embedder;
  readonly record?: Omit<RecorderOptions, 'onDrop'>;
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
  close(): Promise<void>;
}

const MIB = 2 ** 20;
const REACH_MS = 2_000;

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

function listenOn(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const busy = error.code === 'EADDRINUSE';
      reject(busy ? new KvShareError('port_in_use', `Port ${port} is in use.`) : error);
    });
    server.listen(port, host, () => resolve());
  });
}

type ReadText = PlanFinder['readText'];

/** Null without an embedder. */
function openSimilar(
  { embedder, tokenizer, log }: SidecarOptions,
  readText: ReadText,
  metrics: SidecarMetrics,
): { similar: SimilarPrompts; close: () => Promise<void> } | null {
  if (!embedder) return null;
  const vectors = new VectorIndexes({
    dimension: embedder.dimension,
    onChildLost: (why) => log.warn({ why }, 'the vector index goes on without its helper process'),
  });
  const similar = new SimilarPrompts({
    embedder,
    vectors,
    tokenClasses: tokenizer.tokenClasses,
    readText,
    onFailure: (error) => {
      metrics.failOpen.inc({ stage: 'embed' });
      log.warn({ name: (error as Error).name }, 'going on without the vector match');
    },
  });
  const close = async (): Promise<void> => {
    await similar.close();
    await vectors.close();
    await embedder.close();
  };
  return { similar, close };
}

export function createSidecar(options: SidecarOptions): Sidecar {
  const { runner, tokenizer, log } = options;
  const index = new DonorIndex();
  const routes = new RouteTable(options.settings);
  const metrics = new SidecarMetrics(routes.names, planReasons);
  const readText: ReadText = (tokens, start, end) => tokenizer.decode(tokens.subarray(start, end));
  const meaning = openSimilar(options, readText, metrics);
  const similar = meaning?.similar ?? null;
  const link = new RunnerLink(runner, new KnownDonors(index, similar), log, options.now);
  const context: SidecarContext = {
    ...options,
    link,
    modelNames: [options.modelId, ...(options.modelAliases ?? [])],
    keys: new KeyRing(options.tenants),
    finder: {
      index,
      similar,
      tokenClasses: tokenizer.tokenClasses,
      readText,
      newId: options.newId,
      onFailure: (error) => {
        metrics.failOpen.inc({ stage: 'plan' });
        log.error({ name: (error as Error).name }, 'planning failed, serving cold');
      },
    },
    routes,
    breakEven: new BreakEven(),
    lastRuns: new LastRuns(),
    recorder: options.record
      ? new Recorder({ ...options.record, onDrop: (why) => metrics.recordDrops.inc({ why }) })
      : null,
    admission: new Admission(options.maxInFlight ?? 64),
    endings: new Endings(options.requestDeadlineMs ?? 120_000),
    metrics,
    maxBodyBytes: options.maxBodyBytes ?? 4 * MIB,
    newSeed: () => randomInt(2 ** 31),
    wallClock: Date.now,
    record: recorder(metrics),
  };
  const app = createApp(context, options.upstream ?? null);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, app);
  return {
    app,
    listen: async (port, host) => {
      await listenOn(server, port, host);
      await Promise.race([link.reached, sleep(REACH_MS, undefined, { ref: false })]);
      return { port: (server.address() as AddressInfo).port };
    },
    reload: (settings) => {
      routes.replace(settings);
      metrics.addRoutes(routes.names);
    },
    close: async () => {
      await link.close();
      await meaning?.close();
      await context.recorder?.close();
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(timer);
    },
  };
}
