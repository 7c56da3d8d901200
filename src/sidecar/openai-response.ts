// What clients get: OpenAI's chat completion and completion objects, whole and in chunks, with our
// provenance in `usage.prompt_tokens_details.kvshare` and in x-kvshare-* headers (own tenant's KV only).
import type { Receipt } from '../protocol/index.ts';
import type { PlanDecision, PlanReason } from '../reuse/index.ts';
import type { Outcome } from '../telemetry/index.ts';

export interface Provenance {
  readonly outcome: Outcome;
  readonly reason: PlanReason;
  readonly policy: string;
  readonly receipt: Receipt;
  /** Time spent on waiting for a prompt under way. */
  readonly waitedMs: number;
}

/** Only what the receipt confirms counts as reuse. */
export function provenanceOf(
  decision: PlanDecision,
  receipt: Receipt,
  policy: string,
  waitedMs: number,
): Provenance {
  const { exactTokens, importedTokens, degraded } = receipt;
  const outcome = importedTokens > 0 ? 'reused' : exactTokens > 0 ? 'exact' : 'cold';
  return {
    outcome,
    reason: degraded === null ? decision.reason : 'runner-degraded',
    policy,
    receipt,
    waitedMs,
  };
}

export function provenanceHeaders({ outcome, receipt }: Provenance): Record<string, string> {
  // Nobody knows, or not yet.
  if (receipt.unreported) return {};
  return {
    'x-kvshare-outcome': outcome,
    'x-kvshare-exact-tokens': `${receipt.exactTokens}`,
    'x-kvshare-imported-tokens': `${receipt.importedTokens}`,
    'x-kvshare-recomputed-tokens': `${receipt.recomputedTokens}`,
  };
}

export function usageOf(
  { outcome, reason, policy, receipt, waitedMs }: Provenance,
  promptTokens: number,
  { completionTokens, refreshedTokens }: { completionTokens: number; refreshedTokens?: number },
): object {
  const { toppedUpTokens, unreported } = receipt;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: receipt.exactTokens,
      kvshare: {
        outcome,
        reason,
        policy,
        plan_id: receipt.planId,
        exact_tokens: receipt.exactTokens,
        imported_tokens: receipt.importedTokens,
        recomputed_tokens: receipt.recomputedTokens,
        charged_recompute: receipt.chargedRecompute,
        // Only where the plan asked for them: recomputed at prefill by choice, and while decoding.
        ...(toppedUpTokens !== undefined && { topped_up_tokens: toppedUpTokens }),
        ...(refreshedTokens !== undefined && { refreshed_tokens: refreshedTokens }),
        ...(unreported && { unreported }),
        timings: { ...receipt.timings, waitedMs },
      },
    },
  };
}

/** The fields that all chunks of one answer share. */
export interface AnswerHead {
  readonly kind: 'chat' | 'text';
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

function envelope(head: AnswerHead, chunk: boolean): object {
  const chat = chunk ? 'chat.completion.chunk' : 'chat.completion';
  const object = head.kind === 'chat' ? chat : 'text_completion';
  return { id: head.id, object, created: head.created, model: head.model };
}

type FinishReason = 'stop' | 'length' | null;

export function wholeAnswer(
  head: AnswerHead,
  text: string,
  finishReason: FinishReason,
  usage: object,
): object {
  const content =
    head.kind === 'chat'
      ? { message: { role: 'assistant', content: text, refusal: null } }
      : { text };
  const choice = { index: 0, ...content, logprobs: null, finish_reason: finishReason };
  return { ...envelope(head, false), choices: [choice], usage };
}

export class ChunkWriter {
  readonly #head: AnswerHead;
  readonly #includeUsage: boolean;

  constructor(head: AnswerHead, includeUsage: boolean) {
    this.#head = head;
    this.#includeUsage = includeUsage;
  }

  /** Chat answers open with the role; completions have none. */
  opening(): string {
    if (this.#head.kind === 'text') return '';
    return this.#chunk({ delta: { role: 'assistant', content: '', refusal: null } }, null);
  }

  text(text: string): string {
    return this.#chunk(this.#head.kind === 'chat' ? { delta: { content: text } } : { text }, null);
  }

  closing(finishReason: FinishReason, usage: object): string {
    const empty = this.#head.kind === 'chat' ? { delta: {} } : { text: '' };
    const last = this.#chunk(empty, finishReason);
    const report = this.#includeUsage
      ? frame({ ...envelope(this.#head, true), choices: [], usage })
      : '';
    return `${last}${report}data: [DONE]\n\n`;
  }

  #chunk(content: object, finishReason: FinishReason): string {
    const choice = { index: 0, ...content, logprobs: null, finish_reason: finishReason };
    return frame({
      ...envelope(this.#head, true),
      choices: [choice],
      ...(this.#includeUsage && { usage: null }),
    });
  }
}

export const frame = (value: object): string => `data: ${JSON.stringify(value)}\n\n`;
