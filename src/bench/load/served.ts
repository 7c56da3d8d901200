// What was answered when a trace was sent.
import type { TimedAnswer } from '../../harness/index.ts';

/** The answers in the trace's order. */
export interface Served {
  readonly answers: readonly TimedAnswer[];
  /** When each request was sent, behind the start. */
  readonly sentMs: readonly number[];
  readonly elapsedMs: number;
}
