// Decode speed: streams that run at once, and how many tokens a second all of them get while all of them run.
import { KvShareError } from '../../errors.ts';
import { postForStream, sentEvents, type Post } from '../../harness/index.ts';

export interface DecodeSpeeds {
  /** Tokens a second of one stream, and of eight together. */
  readonly one: number;
  readonly eight: number;
}

interface Chunk {
  /** Ours, and llama.cpp's. */
  readonly choices?: readonly { readonly text?: string }[];
  readonly content?: string;
}

/** A shorter stretch in which all run says little. */
const MIN_EVENTS = 16;

/** Times at which a stream's tokens came. */
type TokenTimes = readonly number[];

/** Tokens of all streams between the last one's first token and the first one's last. */
export function decodeRate(streams: readonly TokenTimes[]): number {
  const start = Math.max(...streams.map((times) => times[0] ?? Infinity));
  const end = Math.min(...streams.map((times) => times.at(-1) ?? -Infinity));
  const counted = streams.flat().filter((at) => at > start && at <= end).length;
  if (counted < MIN_EVENTS) {
    throw new KvShareError('internal_error', `Only ${counted} tokens came while all streams ran.`);
  }
  return (1000 * counted) / (end - start);
}

async function streamOnce(post: Post): Promise<TokenTimes> {
  const { status, pieces } = await postForStream(post);
  if (status !== 200) throw new KvShareError('runner_failed', `${post.url}: HTTP ${status}`);
  return sentEvents(pieces)
    .filter(({ text }) => {
      const { choices, content } = JSON.parse(text) as Chunk;
      return Boolean(choices?.[0]?.text ?? content);
    })
    .map(({ at }) => at);
}

/** The first answer warms the prompt's cache, so that the streams begin together. */
export async function measureDecode(post: Post): Promise<DecodeSpeeds> {
  await streamOnce(post);
  const streams = (count: number): Promise<TokenTimes[]> =>
    Promise.all(Array.from({ length: count }, () => streamOnce(post)));
  return { one: decodeRate(await streams(1)), eight: decodeRate(await streams(8)) };
}
