import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { cut, postForStream, sentEvents, type Piece } from '../../src/harness/index.ts';

let server: Server | undefined;
afterEach(() => server?.closeAllConnections());

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

async function serving(handler: Handler): Promise<string> {
  server = createServer((request, response) => void handler(request, response)).listen(0);
  await once(server, 'listening');
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('postForStream', () => {
  it('keeps the time of every piece, and the whole of a character that comes in two', async () => {
    const euro = Buffer.from('€');
    const url = await serving(async (request, response) => {
      for await (const chunk of request) expect(String(chunk)).toBe('{"a":1}');
      response.write('first');
      await sleep(60);
      response.write(euro.subarray(0, 1));
      await sleep(30);
      response.end(euro.subarray(1));
    });
    const { status, sentAt, headAt, pieces } = await postForStream({ url, body: { a: 1 } });
    expect(status).toBe(200);
    expect(pieces.map(({ text }) => text).join('')).toBe('first€');
    expect(pieces[0]!.at).toBeGreaterThanOrEqual(headAt);
    expect(headAt).toBeGreaterThan(sentAt);
    expect(pieces.at(-1)!.at - pieces[0]!.at).toBeGreaterThan(60);
  });

  it.each([
    ['nobody listens', null],
    ['the connection breaks', 5],
  ])('fails when %s', async (_, bytes) => {
    let url = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('x'.repeat(bytes ?? 0), () => response.destroy());
    });
    if (bytes === null) url = 'http://127.0.0.1:9';
    await expect(postForStream({ url, body: {} })).rejects.toMatchObject({
      code: 'runner_failed',
    });
  });
});

const pieces = (...texts: string[]): Piece[] => texts.map((text, at) => ({ at, text }));

describe('cut', () => {
  it('gives each part the time at which its end came', () => {
    expect(cut(pieces('a', 'b\nc\nd', '\n', 'e'), '\n')).toEqual([
      { at: 1, text: 'ab' },
      { at: 1, text: 'c' },
      { at: 2, text: 'd' },
    ]);
  });

  it('leaves of server-sent events the data, without comments and the closing mark', () => {
    const events = sentEvents(pieces('data: 1\n\nda', 'ta: 2\n\n: ping\n\n', 'data: [DONE]\n\n'));
    expect(events).toEqual([
      { at: 0, text: '1' },
      { at: 1, text: '2' },
    ]);
  });
});
