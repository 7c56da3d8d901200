// One chat completion of llama.cpp's server, timed like ours: from sending to the first content at the client; what it
// took from its cache is in its own timings.
import { KvShareError } from '../../errors.ts';
import { postForStream, sentEvents, type Piece } from '../../harness/index.ts';
import { peerHeaders } from '../../llama-server/index.ts';

/** As its last event says. */
export interface PeerTimings {
  readonly cachedTokens: number;
  /** Prompt tokens that it computed, and in which time. */
  readonly promptTokens: number;
  readonly promptMs: number;
}

export interface PeerAnswer extends PeerTimings {
  readonly ttftMs: number;
}

interface Chunk {
  readonly choices?: readonly { readonly delta: { readonly content?: string | null } }[];
  readonly timings?: {
    readonly cache_n?: unknown;
    readonly prompt_n?: unknown;
    readonly prompt_ms?: unknown;
  };
  readonly error?: { readonly message?: string };
}

const broken = (message: string): KvShareError => new KvShareError('runner_failed', message);

/** Throws KvShareError `runner_failed` when the peer reports none. */
export function readTimings({ timings }: Pick<Chunk, 'timings'>): PeerTimings {
  const [cachedTokens, promptTokens, promptMs] = [
    timings?.cache_n,
    timings?.prompt_n,
    timings?.prompt_ms,
  ];
  const numbers = [cachedTokens, promptTokens, promptMs];
  if (!numbers.every((value): value is number => typeof value === 'number' && value >= 0)) {
    throw broken('The peer does not say what it took from its cache.');
  }
  return { cachedTokens: numbers[0]!, promptTokens: numbers[1]!, promptMs: numbers[2]! };
}

/** Throws KvShareError `runner_failed` when the stream is not a whole answer. */
export function readAnswer(sentAt: number, events: readonly Piece[]): PeerAnswer {
  let firstAt: number | null = null;
  let timings: PeerTimings | null = null;
  for (const { at, text } of events) {
    const chunk = JSON.parse(text) as Chunk;
    if (chunk.error) throw broken(`The peer failed: ${chunk.error.message ?? 'no reason given'}`);
    if (chunk.choices?.[0]?.delta.content) firstAt ??= at;
    if (chunk.timings) timings = readTimings(chunk);
  }
  if (firstAt === null || !timings) throw broken('The peer sent no whole answer.');
  return { ...timings, ttftMs: firstAt - sentAt };
}

export async function askPeer(
  url: string,
  messages: readonly { readonly role: string; readonly content: string }[],
  maxTokens: number,
): Promise<PeerAnswer> {
  const { status, sentAt, pieces } = await postForStream({
    url: `${url}/v1/chat/completions`,
    headers: peerHeaders,
    body: { messages, max_tokens: maxTokens, temperature: 0, cache_prompt: true, stream: true },
  });
  if (status !== 200) throw broken(`The peer answers HTTP ${status}: ${pieces[0]?.text ?? ''}`);
  return readAnswer(sentAt, sentEvents(pieces));
}
