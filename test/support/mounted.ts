// KVShare mounted in an app on a real port, before a runner that does what the test says.
import { request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { kvshare, type KvShareOptions } from '../../src/mount/index.ts';
import { receiptOf, ScriptedRunner, type answering } from './scripted-runner.ts';
import { memoryLog, tinyTokenizer } from './served.ts';

export const TOKENS = 5;
const PATIENCE_MS = 5_000;

/**
 * A runner that sends a token only when the client has seen the one before: whoever holds events back gets no more of
 * them, however slow the machine is.
 */
export function lockstep(): { script: typeof answering; seen: () => void } {
  let arrived = 0;
  const script: typeof answering = async function* (request, signal) {
    yield { type: 'receipt', receipt: receiptOf(request) };
    for (let sent = 0; sent < TOKENS; sent++) {
      const end = performance.now() + PATIENCE_MS;
      while (arrived < sent) {
        if (signal.aborted || performance.now() > end) throw new Error('events are held back');
        await sleep(2);
      }
      yield { type: 'token', id: 60 + sent };
    }
    yield { type: 'end', reason: 'length' };
  };
  return { script, seen: () => arrived++ };
}

export function mounted<R = IncomingMessage>(options: Partial<KvShareOptions<R>> = {}) {
  const runner = new ScriptedRunner();
  const log = memoryLog();
  const model = { id: 'tiny', tokenizer: tinyTokenizer };
  return { runner, log, kv: kvshare<R>({ runner, log, model, ...options }) };
}

type Listener = Parameters<typeof createServer>[1];

export async function serveApp(
  app: NonNullable<Listener>,
): Promise<{ url: string; server: Server }> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

export const question = (content: string, more: object = {}): object => ({
  model: 'default',
  max_tokens: TOKENS,
  messages: [{ role: 'user', content }],
  ...more,
});

export interface Streamed {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Data of each event. */
  readonly events: readonly string[];
  readonly text: string;
}

export const hasContent = (event: string): boolean => /"content":"[^"]/.test(event);

export async function postStream(
  url: string,
  body: object | string,
  headers: Record<string, string> = {},
  onContent: () => unknown = () => undefined,
): Promise<Streamed> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.once('error', reject).once('response', (response) => {
      const events: string[] = [];
      let text = '';
      let pending = '';
      const gzip = response.headers['content-encoding'] === 'gzip';
      const plain = gzip ? response.pipe(createGunzip()) : response;
      plain.on('data', (part: Buffer) => {
        text += part.toString();
        const frames = (pending + part.toString()).split('\n\n');
        pending = frames.pop()!;
        for (const frame of frames) {
          events.push(frame.slice(6));
          if (hasContent(frame)) onContent();
        }
      });
      plain.once('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, events, text });
      });
    });
    sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}
