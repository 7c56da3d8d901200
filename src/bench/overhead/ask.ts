// One request, through the sidecar or straight to the runner, with the same client: time to the first content, and for
// each token its way from the runner to here.
import { KvShareError } from '../../errors.ts';
import { cut, postForStream, sentEvents, type Piece, type Post } from '../../harness/index.ts';
import { paths } from '../../protocol/wire.ts';
import type { TraceRequest } from '../trace-file.ts';
import type { InstantProcess } from './instant-process.ts';

export interface AskedAnswer {
  /** From sending to the first content. */
  readonly firstMs: number;
  /** From sending to the runner's beginning. */
  readonly requestMs: number;
  /** Of every token: from the runner to here. */
  readonly eventMs: readonly number[];
  readonly outcome: string;
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string } }[];
  readonly usage?: {
    readonly prompt_tokens_details: { readonly kvshare: { readonly outcome: string } };
  } | null;
}

async function post(request: Post): Promise<{ sentAt: number; pieces: readonly Piece[] }> {
  const { status, sentAt, pieces } = await postForStream(request);
  if (status === 200) return { sentAt, pieces };
  throw new KvShareError('runner_failed', `HTTP ${status}: ${pieces[0]?.text.slice(0, 300) ?? ''}`);
}

async function timed(
  runner: InstantProcess,
  requestId: string,
  sentAt: number,
  contents: readonly Piece[],
): Promise<Omit<AskedAnswer, 'outcome'>> {
  const { startedAt, times: left } = await runner.timesOf(requestId);
  if (contents.length === 0 || left.length !== contents.length) {
    throw new KvShareError(
      'internal_error',
      `${left.length} tokens were sent and ${contents.length} pieces of text came.`,
    );
  }
  return {
    firstMs: contents[0]!.at - sentAt,
    requestMs: startedAt - sentAt,
    eventMs: contents.map(({ at }, i) => at - left[i]!),
  };
}

export async function askThroughSidecar(
  url: string,
  runner: InstantProcess,
  { id, tenant, user, messages }: TraceRequest,
  maxTokens: number,
): Promise<AskedAnswer> {
  const { sentAt, pieces } = await post({
    url: `${url}/v1/chat/completions`,
    headers: { authorization: `Bearer key-${tenant}`, 'x-request-id': id },
    body: {
      ...{ model: 'default', messages, user, max_tokens: maxTokens },
      ...{ stream: true, stream_options: { include_usage: true } },
    },
  });
  const events = sentEvents(pieces).map(({ at, text }) => ({
    at,
    text,
    chunk: JSON.parse(text) as Chunk,
  }));
  const contents = events.filter(({ chunk }) => chunk.choices[0]?.delta.content);
  const outcome = events.at(-1)?.chunk.usage?.prompt_tokens_details.kvshare.outcome ?? 'none';
  return { ...(await timed(runner, id, sentAt, contents)), outcome };
}

export async function askDirectly(
  runner: InstantProcess,
  requestId: string,
  tokens: readonly number[],
  maxTokens: number,
): Promise<AskedAnswer> {
  const sampling = { temperature: 0, topP: 1, seed: 1, maxTokens, stopTokens: [] };
  const { sentAt, pieces } = await post({
    url: `${runner.url}${paths.generate}`,
    body: { requestId, scope: 'direct', owner: null, tokens, plan: null, sampling, store: false },
  });
  const contents = cut(pieces, '\n').filter(({ text }) => text.includes('"type":"token"'));
  return { ...(await timed(runner, requestId, sentAt, contents)), outcome: 'direct' };
}
