// What an operator can set, what the planner may decide, and the closed list of reasons.
import type { PolicyName, ReusePlan } from '../protocol/index.ts';

export interface ReuseOptions {
  readonly policy: PolicyName;
  /** Shortest equal run that is imported, tokens. */
  readonly minRun: number;
  /** First tokens of a moved run that are recomputed. */
  readonly seam: number;
  /** Tokens recomputed behind an edit inside a block. */
  readonly closure: { readonly min: number; readonly max: number };
  /** Least share of the tokens behind the base that must be saved. */
  readonly minReuse: number;
  readonly maxInversionShare: number;
  /** Imported stretches shorter than this between two recomputed ones are recomputed too. */
  readonly mergeGap: number;
  /** Recompute sentence ends and newlines of imported text. */
  readonly delimiterRefresh: boolean;
  /** False switches the quality fallbacks off (`bench hit-rate --no-fallback`). */
  readonly fallbacks: boolean;
}

export const defaultReuseOptions: ReuseOptions = {
  policy: 'edit-closure',
  minRun: 32,
  seam: 16,
  closure: { min: 32, max: 64 },
  minReuse: 0.5,
  maxInversionShare: 0.5,
  mergeGap: 16,
  delimiterRefresh: true,
  fallbacks: true,
};

/** Closed list: why not more was reused. Published in responses, metrics and benchmarks. */
export const planReasons = [
  'full',
  'policy-off',
  'policy-exact',
  'bypass',
  'no-donor',
  'too-little-reuse',
  'inverted-order',
  'below-break-even',
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
}
