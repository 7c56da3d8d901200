// Wires the rooms together: options → what every request shares, and its end. Knows no server, so that an app of
// somebody else can serve it.
import { randomInt } from 'node:crypto';
import type { Embedder } from '../embed/index.ts';
import { clientErrors } from '../errors.ts';
import { DonorIndex, tenantScope } from '../match/index.ts';
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
import type { VectorIndexes } from '../vectors/index.ts';
import { Admission } from './admission.ts';
import type { SidecarContext } from './context.ts';
import { drain } from './drain.ts';
import { DeletionsFile } from './deletions-file.ts';
import { Deletions } from './deletions.ts';
import { Endings } from './endings.ts';
import { SidecarEvents } from './events.ts';
import { createFinder, openSimilar } from './finder.ts';
import { GuardFile } from './guard-file.ts';
import { HotPrefixes } from './hot-prefixes.ts';
import { byKey, KeyRing, type Identify, type Tenant } from './identify.ts';
import { IdleWork } from './idle-work.ts';
import { IncomingBodies } from './incoming-bodies.ts';
import { KnownDonors } from './known-donors.ts';
import { LastRuns } from './last-runs.ts';
import { Ledger } from './ledger.ts';
import type { Provenance } from './openai-response.ts';
import { RunnerLink } from './runner-link.ts';
import { SingleFlight } from './single-flight.ts';

export interface CoreOptions {
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
  /** Finds prompts that resemble each other; without one only equal tokens are looked for. Closed with the sidecar. */
  readonly embedder?: Embedder;
  /** Of the embedder's dimension; without it, an index with the usual limits. Closed with the sidecar. */
  readonly vectors?: VectorIndexes;
  /** File that keeps vectors over a restart. */
  readonly vectorFile?: string;
  /** Whether hot prompts that are stored only approximately are computed exactly in idle moments (default). */
  readonly healing?: boolean;
  /** File that keeps what the guard knows over a restart. */
  readonly guardFile?: string;
  /** File that keeps over a restart what the runner has not confirmed to have deleted. */
  readonly deletionsFile?: string;
  /** Uniform in [0, 1): which requests are compared with a full prefill. */
  readonly random?: () => number;
  readonly record?: Omit<RecorderOptions, 'onDrop'>;
  /** Whether a request waits for a prompt under way that it could use (default), instead of computing it again. */
  readonly singleFlight?: boolean;
  readonly maxBodyBytes?: number;
  /** Time that a body may take to come, once it is known who asks. */
  readonly bodyDeadlineMs?: number;
  /** Requests being served or waiting; the next one gets 429. */
  readonly maxInFlight?: number;
  readonly requestDeadlineMs?: number;
  readonly log: Log;
  /** Where events are told; of use to who listens before there is a core. */
  readonly events?: SidecarEvents;
  readonly newId: () => string;
  readonly now: () => number;
}

export interface SidecarCore {
  readonly context: SidecarContext;
  /** Other reuse settings from now on; requests that have begun keep theirs. */
  reload(settings: RouteSettings): void;
  /** Nobody new is served; answers under way get so long to finish, then end with an error. */
  drain(graceMs: number): Promise<void>;
  /** Ends work in the background, writes what is kept over a restart, and lets go of the runner. */
  close(): Promise<void>;
}

const MIB = 2 ** 20;

function recorder(metrics: SidecarMetrics): SidecarContext['record'] {
  return (route, { outcome, reason, receipt }: Provenance, ttftMs) => {
    metrics.requests.inc({ route, outcome });
    metrics.reasons.inc({ reason });
    metrics.paused.inc({ route }, reason === 'route-paused' ? 1 : 0);
    metrics.tokens.inc({ source: 'exact' }, receipt.exactTokens);
    metrics.tokens.inc({ source: 'imported' }, receipt.importedTokens);
    metrics.tokens.inc({ source: 'recomputed' }, receipt.recomputedTokens);
    metrics.ttft.observe({ outcome }, ttftMs / 1000);
  };
}

/** What can be switched off. */
const extrasOf = ({ singleFlight = true, healing = true, now }: CoreOptions) => ({
  singleFlight: singleFlight ? new SingleFlight(now) : null,
  hotPrefixes: healing ? new HotPrefixes() : null,
});

function openGuardFile({ guardFile, modelId, log }: CoreOptions): GuardFile | null {
  if (guardFile === undefined) return null;
  return new GuardFile(guardFile, modelId, (error) => {
    log.warn({ name: (error as Error).name }, 'the guard’s file could not be read or written');
  });
}

function openDeletions({ deletionsFile, runner, log }: CoreOptions): Deletions {
  const file = deletionsFile === undefined ? null : new DeletionsFile(deletionsFile);
  return new Deletions(runner, log, file);
}

function openRecorder({ record }: CoreOptions, metrics: SidecarMetrics): Recorder | null {
  const onDrop = (why: string): void => metrics.recordDrops.inc({ why });
  return record ? new Recorder({ ...record, onDrop }) : null;
}

/** Scopes tell nothing of their tenant; those of the configured ones, without a salt, are known. */
function openLedger({ tenants, now }: CoreOptions): Ledger {
  const owners = new Map(tenants.map(({ name }) => [tenantScope(name, null), name]));
  return new Ledger((scope) => owners.get(scope) ?? null, now);
}

function openIdleWork({ log, now }: CoreOptions, admission: Admission): IdleWork {
  const idle = new IdleWork({ admission, log, now });
  admission.onLeave = () => idle.resume();
  return idle;
}

const openMetrics = ({ names }: RouteTable): SidecarMetrics =>
  new SidecarMetrics(names, { reasons: planReasons, codes: clientErrors, rungs: rungNames });

const openBodies = ({ maxBodyBytes = 4 * MIB, bodyDeadlineMs = 10_000 }: CoreOptions) =>
  new IncomingBodies({ maxBytes: maxBodyBytes, deadlineMs: bodyDeadlineMs });

export function createCore(options: CoreOptions): SidecarCore {
  const { runner, log } = options;
  const index = new DonorIndex();
  const routes = new RouteTable(options.settings);
  const metrics = openMetrics(routes);
  const meaning = openSimilar(options, metrics);
  const similar = meaning?.similar ?? null;
  const known = { ledger: openLedger(options), deletions: openDeletions(options) };
  const events = options.events ?? new SidecarEvents(log);
  const link = new RunnerLink({
    ...{ runner, log, now: options.now },
    donors: new KnownDonors(index, similar, known.ledger),
    deletions: known.deletions,
    onEvicted: (segments) => events.emit('evict', { segments }),
  });
  const admission = new Admission(options.maxInFlight ?? 64);
  const guardFile = openGuardFile(options);
  const idle = openIdleWork(options, admission);
  const context: SidecarContext = {
    ...options,
    link,
    modelNames: [options.modelId, ...(options.modelAliases ?? [])],
    identify: options.identify ?? byKey(new KeyRing(options.tenants)),
    refusesUnknown: options.identify === undefined,
    finder: createFinder(options, index, similar, metrics),
    routes,
    breakEven: new BreakEven(),
    guard: new QualityGuard(guardFile?.load()),
    guardFile,
    idle,
    ...extrasOf(options),
    lastRuns: new LastRuns(),
    recorder: openRecorder(options, metrics),
    admission,
    bodies: openBodies(options),
    ...known,
    observers: new Set(),
    endings: new Endings(options.requestDeadlineMs ?? 120_000),
    metrics,
    events,
    newSeed: () => randomInt(2 ** 31),
    random: options.random ?? Math.random,
    ...{ wallClock: Date.now, record: recorder(metrics) },
  };
  return {
    context,
    reload: (settings) => {
      routes.replace(settings);
      metrics.addRoutes(routes.names);
    },
    drain: (graceMs) => drain(context, graceMs),
    close: async () => {
      await idle.close();
      guardFile?.flush();
      await link.close();
      await meaning?.close();
      await context.recorder?.close();
    },
  };
}
