// HTTP to a serving framework: JSON in and out, answers as server-sent events, its failures as our errors. Such servers
// tend to close a connection behind a stream without saying so; every request gets a new one.
import { request as undiciRequest, type Dispatcher } from 'undici';
import { KvShareError } from '../../src/errors.ts';

export interface HttpOptions {
  readonly url: string;
  readonly key: string | null;
  /** A server that sends nothing for so long is given up. */
  readonly idleMs?: number;
}

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly signal?: AbortSignal;
}

export interface Streamed {
  readonly headers: Dispatcher.ResponseData['headers'];
  /** The data of each event, parsed; ends in front of `[DONE]`. */
  readonly events: AsyncIterable<Record<string, unknown>>;
}

const IDLE_MS = 120_000;
const MAX_EVENT = 2 ** 24;

/** A server's words, short enough for a log line. */
const brief = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 200);

function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } | string };
    const message = typeof error === 'string' ? error : error?.message;
    return brief(typeof message === 'string' ? message : text);
  } catch {
    return brief(text);
  }
}

/** Their status → our code: a prompt too long or a full queue is the client's to know, the rest is a broken runner. */
function failureOf(status: number, text: string): KvShareError {
  const message = `The model server answers HTTP ${status}: ${messageOf(text)}`;
  if (status === 429) return new KvShareError('queue_full', message);
  if (status === 503) return new KvShareError('runner_unavailable', message);
  return new KvShareError('runner_failed', message);
}

async function* dataOf(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Record<string, unknown>, void, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of body) {
    pending += decoder.decode(chunk, { stream: true });
    const lines = pending.split('\n');
    pending = lines.pop()!;
    for (const line of lines) {
      // Other fields and comments (keep-alive) carry nothing that is needed.
      if (!line.startsWith('data:')) continue;
      const data = line.slice('data:'.length).trim();
      if (data === '[DONE]') return;
      yield parse(data);
    }
    if (pending.length > MAX_EVENT) {
      throw new KvShareError('runner_failed', 'The model server sent an event without end.');
    }
  }
}

function parse(data: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    value = null;
  }
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new KvShareError('runner_failed', 'The model server sent an event that is not JSON.');
}

export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** Throws `runner_unavailable` when nobody answers, `runner_failed` when the answer is an error. */
  async json(call: Call): Promise<unknown> {
    const { body } = await this.#send(call);
    try {
      return await body.json();
    } catch {
      throw new KvShareError('runner_failed', 'The model server sent an answer that is not JSON.');
    }
  }

  /** The connection is closed when the events are not read to their end. */
  async stream(call: Call): Promise<Streamed> {
    const { body, headers } = await this.#send(call);
    const events = async function* (): AsyncGenerator<Record<string, unknown>> {
      try {
        yield* dataOf(body as AsyncIterable<Uint8Array>);
      } catch (error) {
        if (error instanceof KvShareError) throw error;
        throw new KvShareError('runner_failed', 'The connection to the model server broke.');
      } finally {
        body.destroy();
      }
    };
    return { headers, events: events() };
  }

  async #send({ method, path, body, signal }: Call): Promise<Dispatcher.ResponseData> {
    const { url, key, idleMs = IDLE_MS } = this.#options;
    let response: Dispatcher.ResponseData;
    try {
      response = await undiciRequest(`${url}${path}`, {
        method,
        reset: true,
        headersTimeout: idleMs,
        bodyTimeout: idleMs,
        headers: {
          'content-type': 'application/json',
          ...(key !== null && { authorization: `Bearer ${key}` }),
        },
        ...(body && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      });
    } catch {
      throw new KvShareError('runner_unavailable', 'The model server does not answer.');
    }
    if (response.statusCode === 200) return response;
    throw failureOf(response.statusCode, await response.body.text().catch(() => ''));
  }
}
