// One generation: what a sidecar asks of a runner and the events that come back, in this order:
// receipt (after prefill) → token* with stored among them → end | error. Who learns only at the end what was reused sends
// a second receipt there, which replaces the first.
import type { ErrorCode } from '../errors.ts';
import type { Receipt, ReusePlan } from './reuse-plan.ts';

export interface SamplingOptions {
  /** 0 = greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** Same seed, same prompt, same plan → same tokens. */
  readonly seed: number;
  /** Most tokens to generate, >= 1. */
  readonly maxTokens: number;
  /** Ends generation; the stop token itself is not sent. */
  readonly stopTokens: readonly number[];
}

export interface GenerateRequest {
  readonly requestId: string;
  /** Who may share: opaque to the runner, compared for equality. */
  readonly scope: string;
  /** Tenant and user, opaque: whose conversation it is. */
  readonly owner: string | null;
  readonly tokens: readonly number[];
  readonly plan: ReusePlan | null;
  readonly sampling: SamplingOptions;
  /** Whether the KV of this request may be kept for later ones. */
  readonly store: boolean;
  /** The trace that this is a part of, as in W3C's header. */
  readonly traceparent?: string;
}

export type EndReason = 'stop' | 'length' | 'cancelled';

export type GenerateEvent =
  | { readonly type: 'receipt'; readonly receipt: Receipt }
  | { readonly type: 'token'; readonly id: number }
  | { readonly type: 'stored'; readonly context: StoredContext }
  | {
      readonly type: 'end';
      readonly reason: EndReason;
      /** Imported tokens that were computed again while decoding; only with `decodeRefresh`. */
      readonly refreshedTokens?: number;
      /** How many were generated, where those that were sent are not the same: text encoded again. */
      readonly completionTokens?: number;
    }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string };

/** A context whose KV the runner keeps. `tokens[0, exactTokens)` were computed over exact KV only. */
export interface StoredContext {
  readonly segment: string;
  readonly scope: string;
  readonly owner: string | null;
  /** Tokens whose KV is stored: the prompt, possibly with generated tokens behind it. */
  readonly tokens: readonly number[];
  /** Only this part may serve other prompts; the rest only what begins with the same tokens, where it stands. */
  readonly exactTokens: number;
  /** Where the prompt ended and the answer began. */
  readonly promptTokens: number;
}
