// The reuse plan, protocol version 1: which cached KV to import and which token ranges to recompute.
// Made by the sidecar, applied by the runner exactly as given. Design: KVShare (arXiv 2503.16525) §4.
//
//   target   |0 ........ 31|31 ............................ 808|808 ... 824|
//   imports                 [segment A, donor 14..791            )
//   recompute[0 .......... 31)[31..47)      [612)               [808 .. 824)
//             changed         seam          delimiter            suffix
import type { TokenRange } from '../kv/index.ts';

export const PLAN_VERSION = 1;

/** Why a range is recomputed. */
export const recomputeReasons = ['changed', 'seam', 'closure', 'delimiter', 'suffix'] as const;
export type RecomputeReason = (typeof recomputeReasons)[number];

/** Published policies by their papers' names; `naive` (keys not turned to their place) is for tests only. */
export const policyNames = [
  'off',
  'exact',
  'edit-closure',
  'placeholder',
  'legolink',
  'cacheblend',
  'dhd',
  'semantic',
  'naive',
] as const;
export type PolicyName = (typeof policyNames)[number];

/**
 * How the runner picks further tokens to recompute, with tensors that the planner does not have:
 * `query-attention` = attention that changed tokens and the question pay, in a pass before (KVShare's design),
 * `v-deviation` = L1 distance of V at layer 1 from the imported V (CacheBlend, arXiv 2405.16444 §4.3),
 * `dhd` = attention column sum x that distance (KVShare v2, arXiv 2503.16525 §4.3).
 */
export const topUpSelectors = ['query-attention', 'v-deviation', 'dhd'] as const;
export type TopUpSelector = (typeof topUpSelectors)[number];

export interface TopUp {
  readonly selector: TopUpSelector;
  /** Share of the imported, neither exact nor recomputed tokens that is recomputed besides, 0..1. */
  readonly ratio: number;
  /** Tokens are picked in groups of this many neighbours; 1 = one by one. */
  readonly window: number;
  /** Of a picked group, the best so many are recomputed. */
  readonly keep: number;
}

export interface PlanImport {
  /** A context segment that the runner announced as stored. */
  readonly segment: string;
  readonly donorStart: number;
  readonly targetStart: number;
  /** Tokens. */
  readonly length: number;
  /** True only for a common prefix at its own position from exactly computed KV. */
  readonly exact: boolean;
}

export interface PlanRecompute extends TokenRange {
  readonly reason: RecomputeReason;
}

/**
 * Imports are sorted by targetStart and do not overlap; recompute ranges are sorted and do not overlap;
 * every target token is in one of them; a recompute range overrides the import beneath it; the last
 * token is always recomputed.
 */
export interface ReusePlan {
  readonly version: typeof PLAN_VERSION;
  readonly planId: string;
  readonly fingerprint: string;
  /** Length of the target prompt in tokens. */
  readonly numTokens: number;
  readonly policy: PolicyName;
  readonly imports: readonly PlanImport[];
  readonly recompute: readonly PlanRecompute[];
  /** Null = the ranges as they stand. What needs tensors is refused by runners that do not announce it. */
  readonly topUp: TopUp | null;
  /** The first so many layers are computed for every token that is not part of an exact import. */
  readonly fullLayers: number;
  /** Imported tokens that are computed again with each generated token, worst first; needs a `topUp`. */
  readonly decodeRefresh: number;
  /**
   * So much of the mean change that recomputed tokens of an import show is added to its other tokens' K and V, layer
   * by layer, 0..1; absent = 0. Only where there is neither a `topUp` nor a full layer.
   */
  readonly driftCorrection?: number;
}

/** Why a runner did less than the plan said. */
export type DegradedReason = 'segment-evicted' | 'stale-generation' | 'import-failed';

/** What the runner really did. Only this counts as reuse. */
export interface Receipt {
  readonly planId: string | null;
  readonly generation: string;
  readonly exactTokens: number;
  /** All imported tokens beyond the exact prefix, before recompute ranges are taken off. */
  readonly importedTokens: number;
  /** Tokens computed fresh through all layers from the plan's full ones on: its ranges and top-up picks. */
  readonly recomputedTokens: number;
  /** How many of them the top-up picked; only with `topUp`. */
  readonly toppedUpTokens?: number;
  /** Layer-tokens with fresh Q, K, V / (layers x prompt tokens); full layers and scoring passes count. */
  readonly chargedRecompute: number;
  readonly degraded: DegradedReason | null;
  /** Segments that the plan named and that are gone; whoever planned with them should forget them. */
  readonly missingSegments: readonly string[];
  readonly timings: ReceiptTimings;
  /** The server behind an adapter does not say what it reused, or not yet: the counters are of no reuse, not measured. */
  readonly unreported?: true;
}

/** Milliseconds. */
export interface ReceiptTimings {
  readonly queueMs: number;
  readonly importMs: number;
  readonly prefillMs: number;
  /** Share of prefillMs spent in our own code (masks, gathers, bookkeeping), not in matrix kernels. */
  readonly overheadMs: number;
}
