// What an operator can set, what the planner may decide, and the closed list of reasons.
import type { PolicyName, ReusePlan, TopUp } from '../protocol/index.ts';
import type { Piece } from './piece.ts';

export interface ReuseOptions {
  readonly policy: PolicyName;
  /** Shortest equal run that is imported, tokens. */
  readonly minRun: number;
  /** First tokens of a moved run that are recomputed. */
  readonly seam: number;
  /**
   * Tokens that would stand behind more than so many times the text that they were computed behind are recomputed: the
   * first passage of a donor as the last one of the target. 1 or more; 0 = import them.
   */
  readonly contextGrowth: number;
  /** Tokens recomputed behind an edit inside a block. */
  readonly closure: { readonly min: number; readonly max: number };
  /** Least share of the tokens behind the base that must be saved. */
  readonly minReuse: number;
  /** Least similarity of a donor's text to the target's, 0..1; 0 = equal tokens are enough. */
  readonly minSimilarity: number;
  readonly maxInversionShare: number;
  /** Imported stretches shorter than this between two recomputed ones are recomputed too. */
  readonly mergeGap: number;
  /** Recompute sentence ends and newlines of imported text. */
  readonly delimiterRefresh: boolean;
  /** No reuse behind an edit of a number, date, name, negation …: the exact prefix instead. */
  readonly strict: boolean;
  /** Tokens that the runner picks besides. */
  readonly topUp: TopUp | null;
  /** Layers that are computed for every token. */
  readonly fullLayers: number;
  /** Imported tokens computed again with each generated token. */
  readonly decodeRefresh: number;
  /**
   * Share of the mean change that recomputed tokens of a moved run show which is added to the K and V of its other tokens,
   * layer by layer, 0..1. Not beside `topUp` or `fullLayers`.
   */
  readonly driftCorrection: number;
  /** False switches the quality fallbacks off (`bench hit-rate --no-fallback`). */
  readonly fallbacks: boolean;
}

/** Closed list: why not more was reused. Published in responses, metrics and benchmarks. */
export const planReasons = [
  'full',
  'policy-off',
  'policy-exact',
  'bypass',
  'runner-unable',
  'no-donor',
  'low-similarity',
  'too-little-reuse',
  'inverted-order',
  'critical-edit',
  'below-break-even',
  'route-paused',
  'in-shadow',
  'quality-guard',
  'planner-error',
  'runner-degraded',
  'plan-version',
] as const;
export type PlanReason = (typeof planReasons)[number];

export interface PlanDecision {
  /** Null = cold prefill. */
  readonly plan: ReusePlan | null;
  readonly outcome: 'cold' | 'exact' | 'reused';
  readonly reason: PlanReason;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  /** Milliseconds until the first token, by the runner's speed table. */
  readonly predictedMs: number;
  readonly coldMs: number;
  /** Pieces beyond the base that were weighed, whether or not they were used. */
  readonly considered: readonly Piece[];
}
