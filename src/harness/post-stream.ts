// One POST and what came back when: every piece of the body with the time at which this process got it. Over
// node:http, whose own cost and spread are smaller than fetch's, because some suites look at parts of a millisecond.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';

/** Milliseconds of a clock that all processes of this machine share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** A stretch of text and when its end was there, on the shared clock. */
export interface Piece {
  readonly at: number;
  readonly text: string;
}

export interface PostedStream {
  readonly status: number;
  readonly sentAt: number;
  /** When the head of the answer was there. */
  readonly headAt: number;
  readonly pieces: readonly Piece[];
}

export interface Post {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

function collect(response: IncomingMessage, sentAt: number): Promise<PostedStream> {
  const headAt = monotonicMs();
  const pieces: Piece[] = [];
  response.setEncoding('utf8');
  response.on('data', (text: string) => pieces.push({ at: monotonicMs(), text }));
  return new Promise((resolve, reject) => {
    response.once('error', reject);
    response.once('end', () => {
      resolve({ status: response.statusCode ?? 0, sentAt, headAt, pieces });
    });
  });
}

/** Throws KvShareError `runner_failed` when the connection fails or breaks. */
export async function postForStream({ url, headers, body }: Post): Promise<PostedStream> {
  const payload = Buffer.from(JSON.stringify(body));
  const head = {
    'content-type': 'application/json',
    'content-length': `${payload.length}`,
    ...headers,
  };
  try {
    return await new Promise((resolve, reject) => {
      const request = httpRequest(url, { method: 'POST', headers: head });
      const sentAt = monotonicMs();
      request.once('error', reject);
      request.once('response', (response) => {
        collect(response, sentAt).then(resolve, reject);
      });
      request.end(payload);
    });
  } catch (error) {
    throw new KvShareError('runner_failed', `No whole answer from ${url}: ${String(error)}`);
  }
}

/** The pieces cut at a separator; each part has the time of the piece that ended it. */
export function cut(pieces: readonly Piece[], separator: string): Piece[] {
  const parts: Piece[] = [];
  let pending = '';
  for (const { at, text } of pieces) {
    pending += text;
    const whole = pending.split(separator);
    pending = whole.pop()!;
    parts.push(...whole.map((part) => ({ at, text: part })));
  }
  return parts;
}

/** The data of server-sent events, without the closing `[DONE]`. */
export const sentEvents = (pieces: readonly Piece[]): Piece[] =>
  cut(pieces, '\n\n')
    .filter(({ text }) => text.startsWith('data: ') && text !== 'data: [DONE]')
    .map(({ at, text }) => ({ at, text: text.slice('data: '.length) }));
