// What every request of one sidecar shares; made once by create-sidecar.
import type { DonorIndex } from '../match/index.ts';
import type { SimilarPrompts } from '../similar/index.ts';
import type { Recorder } from '../recording/index.ts';
import type { Runner } from '../protocol/index.ts';
import type { BreakEven, QualityGuard, RouteTable } from '../routes/index.ts';
import type { Log, SidecarMetrics } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import type { Admission } from './admission.ts';
import type { Deletions } from './deletions.ts';
import type { Endings } from './endings.ts';
import type { SidecarEvents } from './events.ts';
import type { GuardFile } from './guard-file.ts';
import type { HotPrefixes } from './hot-prefixes.ts';
import type { IdleWork } from './idle-work.ts';
import type { Identify } from './identify.ts';
import type { IncomingBodies } from './incoming-bodies.ts';
import type { LastRuns } from './last-runs.ts';
import type { Ledger } from './ledger.ts';
import type { Provenance } from './openai-response.ts';
import type { RunnerLink } from './runner-link.ts';
import type { ServedObserver } from './served-request.ts';
import type { SingleFlight } from './single-flight.ts';

/** What planning needs beside the request. */
export interface PlanFinder {
  readonly index: DonorIndex;
  /** Null = no embedder: equal tokens only. */
  readonly similar: SimilarPrompts | null;
  readonly tokenClasses: Uint8Array;
  /** Text of tokens[start, end). */
  readonly readText: (tokens: Int32Array, start: number, end: number) => string;
  readonly newId: () => string;
  readonly onFailure: (error: unknown) => void;
}

export interface SidecarContext {
  readonly runner: Runner;
  readonly link: RunnerLink;
  readonly tokenizer: Tokenizer;
  readonly modelId: string;
  /** Names that requests may use for the one model. */
  readonly modelNames: readonly string[];
  readonly identify: Identify;
  /** Whether `identify` throws where somebody is not known. */
  readonly refusesUnknown: boolean;
  readonly finder: PlanFinder;
  readonly routes: RouteTable;
  readonly breakEven: BreakEven;
  /** Which settings each route's answers allow. */
  readonly guard: QualityGuard;
  /** Null = what it knows is lost with the process. */
  readonly guardFile: GuardFile | null;
  readonly idle: IdleWork;
  /** Null = what is approximate stays so. */
  readonly hotPrefixes: HotPrefixes | null;
  /** Prompts that are being computed; null = nobody waits for them. */
  readonly singleFlight: SingleFlight | null;
  readonly lastRuns: LastRuns;
  /** Keeps requests for `kvshare replay`, when the operator wants that. */
  readonly recorder: Recorder | null;
  readonly admission: Admission;
  /** Requests that are not inside yet: their bodies are being read. */
  readonly bodies: IncomingBodies;
  /** Where donors come from, and how often they served. */
  readonly ledger: Ledger;
  /** What the runner has not confirmed yet. */
  readonly deletions: Deletions;
  /** Told of every request that was served. */
  readonly observers: Set<ServedObserver>;
  readonly endings: Endings;
  readonly metrics: SidecarMetrics;
  readonly events: SidecarEvents;
  readonly log: Log;
  readonly newId: () => string;
  readonly newSeed: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Counts a finished request. */
  readonly record: (route: string, provenance: Provenance, ttftMs: number) => void;
}
