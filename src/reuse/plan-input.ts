// Everything a plan depends on; nothing else may influence it.
import type { Candidates } from '../kv/index.ts';
import type { RunnerInfo } from '../protocol/index.ts';
import type { ReuseOptions } from './options.ts';
import type { TokenClasses } from './token-classes.ts';

export interface PlanInput {
  readonly planId: string;
  readonly target: Int32Array;
  /** First token of the always-fresh end: the last paragraph of the last user message. */
  readonly suffixStart: number;
  readonly tokenClasses: TokenClasses;
  readonly candidates: Candidates;
  readonly options: ReuseOptions;
  /** Least similarity of a donor's text that the client asks for, 0..1, whatever the policy. */
  readonly minDonorSimilarity?: number;
  /** Who will carry the plan out. */
  readonly runner: Pick<RunnerInfo, 'fingerprint' | 'speeds' | 'capabilities' | 'layout'>;
  /** Text of tokens[start, end): the meaning guard judges words. */
  readonly readText: (tokens: Int32Array, start: number, end: number) => string;
}
