// Everything a plan depends on; nothing else may influence it.
import type { Candidates } from '../kv/index.ts';
import type { SpeedTable } from '../protocol/index.ts';
import type { ReuseOptions } from './options.ts';
import type { TokenClasses } from './token-classes.ts';

export interface PlanInput {
  readonly planId: string;
  readonly fingerprint: string;
  readonly target: Int32Array;
  /** First token of the always-fresh end: the last paragraph of the last user message. */
  readonly suffixStart: number;
  readonly tokenClasses: TokenClasses;
  readonly candidates: Candidates;
  readonly options: ReuseOptions;
  readonly speeds: SpeedTable;
}
