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

export const policyNames = ['off', 'exact', 'edit-closure'] as const;
export type PolicyName = (typeof policyNames)[number];

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
  /** Reserved by the protocol; this runner's capabilities refuse anything but these values. */
  readonly topUp: null;
  readonly fullLayers: 0;
  readonly decodeRefresh: 0;
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
  readonly recomputedTokens: number;
  /** Layer-tokens with fresh Q, K, V / (layers x prompt tokens). */
  readonly chargedRecompute: number;
  readonly degraded: DegradedReason | null;
  /** Segments that the plan named and that are gone; whoever planned with them should forget them. */
  readonly missingSegments: readonly string[];
  readonly timings: ReceiptTimings;
}

/** Milliseconds. */
export interface ReceiptTimings {
  readonly queueMs: number;
  readonly importMs: number;
  readonly prefillMs: number;
  /** Share of prefillMs spent in our own code (masks, gathers, bookkeeping), not in matrix kernels. */
  readonly overheadMs: number;
}
