// One completion through real HTTP, timed at the client: from sending the request to the first content
// event of the stream. Used by the demo and the benchmarks; what it reports comes from the response.
import { KvShareError } from '../errors.ts';
import type { ReceiptTimings } from '../protocol/index.ts';
import { monotonicMs, postForStream, sentEvents, type Post } from './post-stream.ts';

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface TimedRequest {
  readonly url: string;
  readonly apiKey: string;
  readonly user?: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly maxTokens: number;
  /** `bypass`, `no-store`, … */
  readonly cacheControl?: string;
}

/** By part: in the sidecar for another request's prompt, and what the runner's receipt says. */
export interface AnswerTimings extends ReceiptTimings {
  /** Milliseconds, as all of them. */
  readonly waitedMs: number;
}

export interface TimedAnswer {
  readonly ttftMs: number;
  readonly text: string;
  readonly promptTokens: number;
  readonly outcome: string;
  readonly reason: string;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly chargedRecompute: number;
  readonly timings: AnswerTimings;
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string } }[];
  readonly usage?: Usage | null;
  readonly error?: { readonly message: string };
}

interface Usage {
  readonly prompt_tokens: number;
  readonly prompt_tokens_details: {
    readonly kvshare: {
      readonly outcome: string;
      readonly reason: string;
      readonly exact_tokens: number;
      readonly imported_tokens: number;
      readonly recomputed_tokens: number;
      readonly charged_recompute: number;
      readonly timings: AnswerTimings;
    };
  };
}

function postOf(request: TimedRequest): Post {
  return {
    url: `${request.url}/v1/chat/completions`,
    headers: {
      authorization: `Bearer ${request.apiKey}`,
      ...(request.cacheControl !== undefined && {
        'x-kvshare-cache-control': request.cacheControl,
      }),
    },
    body: {
      model: 'default',
      messages: request.messages,
      max_tokens: request.maxTokens,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
      ...(request.user !== undefined && { user: request.user }),
    },
  };
}

/** Throws KvShareError `runner_failed` when the answer is not a complete stream. */
export async function timedRequest(request: TimedRequest): Promise<TimedAnswer> {
  const { status, sentAt, pieces } = await postForStream(postOf(request));
  if (status !== 200) {
    const text = pieces.map((piece) => piece.text).join('');
    throw new KvShareError('runner_failed', `HTTP ${status}: ${text.slice(0, 300)}`);
  }
  let ttftMs: number | null = null;
  let text = '';
  let usage: Usage | null = null;
  for (const event of sentEvents(pieces)) {
    const chunk = JSON.parse(event.text) as Chunk;
    if (chunk.error) throw new KvShareError('runner_failed', chunk.error.message);
    const content = chunk.choices[0]?.delta.content;
    if (content) {
      ttftMs ??= event.at - sentAt;
      text += content;
    }
    usage = chunk.usage ?? usage;
  }
  if (!usage) throw new KvShareError('runner_failed', 'The stream ended without usage.');
  const { kvshare } = usage.prompt_tokens_details;
  return {
    ttftMs: ttftMs ?? monotonicMs() - sentAt,
    text,
    promptTokens: usage.prompt_tokens,
    outcome: kvshare.outcome,
    reason: kvshare.reason,
    exactTokens: kvshare.exact_tokens,
    importedTokens: kvshare.imported_tokens,
    recomputedTokens: kvshare.recomputed_tokens,
    chargedRecompute: kvshare.charged_recompute,
    timings: kvshare.timings,
  };
}
