// The port between sidecar and runner. Implemented by the engine (in process), by the HTTP client, and
// by adapters; one contract suite tests them all.
import type { KvLayout } from '../kv/index.ts';
import type { CompareRequest, Comparison } from './comparison.ts';
import type { TopUpSelector } from './reuse-plan.ts';
import type { GenerateEvent, GenerateRequest, StoredContext } from './generation.ts';
import type { StoreControl } from './store-control.ts';

/** Measured by the runner at start and refined by every request; the planner's break-even uses it. */
export interface SpeedTable {
  readonly prefillFixedMs: number;
  readonly prefillMsPerToken: number;
  readonly importFixedMs: number;
  readonly importMsPerToken: number;
}

/**
 * What a runner can import. `runs`: tokens of any of its contexts at any place, others computed in between.
 * `prefix`: the beginning of one context in its place, as far as it is equal, which may be further than planned.
 * `cuts`: that, and behind it what follows in the same context, moved up where text was cut out; nothing in between
 * is computed.
 */
export type ImportAbility = 'runs' | 'cuts' | 'prefix';

/** What a runner can do; plans that ask for more are refused. */
export interface RunnerCapabilities {
  readonly imports: ImportAbility;
  readonly topUp: readonly TopUpSelector[];
  readonly fullLayers: boolean;
  readonly decodeRefresh: boolean;
  /** Imports of tokens that only stand for the same thing (policy `semantic`). */
  readonly unequalTokens: boolean;
  /** What recomputed tokens show is added to imported ones: `ReusePlan.driftCorrection`. */
  readonly driftCorrection?: boolean;
  /** `Runner.compare`: without it reuse cannot be guarded. */
  readonly compare?: boolean;
  /** Whether stored KV can be listed, deleted and pinned by name. */
  readonly storeControl?: boolean;
}

/** What a store keeps beside live tensors, and what it did since the start. */
export interface StoreTiers {
  readonly host: { readonly bytes: number; readonly maxBytes: number; readonly format: string };
  readonly disk: {
    readonly bytes: number;
    readonly maxBytes: number;
    /** False = the last write failed; it is tried again. */
    readonly isHealthy: boolean;
  };
  readonly movedBytes: {
    readonly toHost: number;
    readonly toDisk: number;
    readonly fromHost: number;
    readonly fromDisk: number;
  };
  readonly pages: {
    /** Gone for want of room. */
    readonly lost: number;
    /** Files that were not what had been written. */
    readonly damaged: number;
    /** Held something that is no number. */
    readonly notFinite: number;
  };
  /** Not kept: memory was short, and nothing like them had been seen. */
  readonly refusedContexts: number;
}

export interface RunnerInfo {
  readonly protocolVersions: readonly number[];
  readonly capabilities: RunnerCapabilities;
  /** New on every start; donors of another generation are gone. */
  readonly generation: string;
  readonly model: {
    readonly id: string;
    readonly contextLength: number;
    readonly vocabSize: number;
  };
  readonly backend: { readonly name: string; readonly description: string };
  readonly fingerprint: string;
  /** Null where the KV is another framework's business. */
  readonly layout: KvLayout | null;
  readonly speeds: SpeedTable;
  readonly store: {
    /** Of live tensors, ready for a request. */
    readonly bytes: number;
    /** Of live tensors, of requests that are being computed. */
    readonly runningBytes?: number;
    /** Of both. */
    readonly maxBytes: number;
    readonly contexts: number;
    readonly tiers?: StoreTiers;
  };
  readonly requests: { readonly running: number; readonly waiting: number };
}

/** What the runner's store holds now, then what changes. The first event is always `hello`. */
export type StoreEvent =
  | { readonly type: 'hello'; readonly generation: string; readonly contexts: StoredContext[] }
  | { readonly type: 'evicted'; readonly segments: readonly string[] };

export interface Runner {
  /** Throws KvShareError `runner_unavailable` when nobody answers. */
  info(): Promise<RunnerInfo>;
  /**
   * Applies the plan as given. Throws KvShareError with a `plan_…` code, before any tensor is touched,
   * when the plan is not valid; aborting the signal ends it within one step.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent>;
  /**
   * Computes the prompt twice, in full and by the plan, in steps between those of requests, and keeps nothing. Null =
   * the plan could not be applied as given, or the signal aborted. Throws as `generate` does.
   */
  compare?(request: CompareRequest, signal: AbortSignal): Promise<Comparison | null>;
  /** Store changes until the signal aborts; throws when the connection is lost. */
  watch(signal: AbortSignal): AsyncIterable<StoreEvent>;
  /** Of use when the capabilities say `storeControl`; otherwise its calls throw `runner_unable`. */
  readonly control?: StoreControl;
  close(): Promise<void>;
}
