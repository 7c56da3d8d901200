// Reuse against full prefill, on one request: what a sidecar's guard asks of a runner in idle moments.
import type { GenerateRequest } from './generation.ts';
import type { ReusePlan } from './reuse-plan.ts';

export interface CompareRequest extends Pick<
  GenerateRequest,
  'requestId' | 'scope' | 'owner' | 'tokens'
> {
  /** The plan that is judged. */
  readonly plan: ReusePlan;
  /** Tokens along which both are compared, teacher-forced: the answer that was given, at least one. */
  readonly answer: readonly number[];
}

/** Of the plan's next-token distributions from those of a full prefill. */
export interface Comparison {
  /** KL(full || plan) of the first token, nats. */
  readonly kl1: number;
  /** Mean along the answer, nats. */
  readonly kl: number;
  /** Whether the most likely first token is the same. */
  readonly top1: boolean;
  /** Share of the answer's tokens whose most likely token is the same, 0..1. */
  readonly agree: number;
  /** Tokens compared. */
  readonly tokens: number;
}
