// CONTRACT STUB: helper D replaces this file (keeps the exported names and meanings).
import type { Candidates } from '../kv/index.ts';
import type { PolicyName, ReusePlan, SpeedTable } from '../protocol/index.ts';

export interface ReuseOptions {
  readonly policy: PolicyName;
  readonly minRun: number;
  readonly seam: number;
  readonly closure: { readonly min: number; readonly max: number };
  readonly minReuse: number;
  readonly maxInversionShare: number;
  readonly mergeGap: number;
  readonly delimiterRefresh: boolean;
  /** False switches the quality fallbacks off (bench hit-rate --no-fallback). */
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
export type PlanReason =
  | 'full'
  | 'policy-off'
  | 'policy-exact'
  | 'bypass'
  | 'no-donor'
  | 'too-little-reuse'
  | 'inverted-order'
  | 'below-break-even'
  | 'prompt-too-short'
  | 'planner-error'
  | 'runner-degraded';

export interface PlanInput {
  readonly planId: string;
  readonly fingerprint: string;
  readonly target: Int32Array;
  readonly suffixStart: number;
  /** TokenClass flags by token id (1 sentence end, 2 newline, 4 special). */
  readonly tokenClasses: Uint8Array;
  readonly candidates: Candidates;
  readonly options: ReuseOptions;
  readonly speeds: SpeedTable;
}

export interface PlanDecision {
  /** Null = cold prefill. */
  readonly plan: ReusePlan | null;
  readonly outcome: 'cold' | 'exact' | 'reused';
  readonly reason: PlanReason;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly predictedMs: number;
  readonly coldMs: number;
}

export function planReuse(_input: PlanInput): PlanDecision {
  throw new Error('stub');
}
