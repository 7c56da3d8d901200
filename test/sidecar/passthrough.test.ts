import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serveSidecar } from '../support/served.ts';
import { ScriptedRunner } from '../support/scripted-runner.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

let upstream: Server;
let served: Awaited<ReturnType<typeof serveSidecar>>;
const seen: Seen[] = [];

beforeAll(async () => {
  upstream = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(parts) });
      if (url === '/stream') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n');
        setTimeout(() => response.end('data: two\n\n'), 200);
      } else response.writeHead(207, { 'x-upstream': 'yes' }).end('from upstream');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => upstream.once('listening', resolve));
  const { port } = upstream.address() as AddressInfo;
  served = await serveSidecar(new ScriptedRunner(), { upstream: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  await served.sidecar.close();
  upstream.closeAllConnections();
  upstream.close();
});

describe('pass-through', () => {
  it('hands a POST on byte by byte and its answer back', async () => {
    // Re-serialising would change every one of these.
    const body = '{ "seed": 9007199254740993, "a": 1.0, "a": 2, "text": "\\u00e9" }';
    const response = await fetch(`${served.url}/v1/embeddings?x=%20y`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-kvshare-tenant': 'spoof', 'x-own': '1' },
      body,
    });
    expect([response.status, response.headers.get('x-upstream')]).toEqual([207, 'yes']);
    expect(await response.text()).toBe('from upstream');
    const request = seen.at(-1)!;
    expect([request.method, request.url]).toEqual(['POST', '/v1/embeddings?x=%20y']);
    expect(request.body.toString()).toBe(body);
    expect(request.headers['x-own']).toBe('1');
    expect(request.headers['x-kvshare-tenant']).toBeUndefined();
  });

  it('passes events on as they come', async () => {
    const response = await fetch(`${served.url}/stream`);
    const reader = response.body!.getReader();
    const start = performance.now();
    const first = await reader.read();
    expect(new TextDecoder().decode(first.value)).toBe('data: one\n\n');
    const firstAt = performance.now() - start;
    await reader.read();
    expect(performance.now() - start - firstAt).toBeGreaterThan(50);
  });

  it('keeps our own paths to itself', async () => {
    const before = seen.length;
    await fetch(`${served.url}/v1/models`);
    await fetch(`${served.url}/metrics`);
    expect(seen.length).toBe(before);
  });

  /** What the upstream gets of one request that is written by hand. */
  async function sendRaw(lines: readonly string[], body = ''): Promise<Seen[]> {
    const before = seen.length;
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume().write(`${[...lines, 'host: x', '', ''].join('\r\n')}${body}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.destroy();
    return seen.slice(before);
  }

  it.each(['close, x-tenant', 'upgrade, X-Tenant', 'close, x-tenant, transfer-encoding'])(
    'hands on nothing that is for this connection alone (R1): connection: %s',
    async (connection) => {
      const own = ['te: trailers', 'keep-alive: 5', 'proxy-authorization: abc', 'upgrade: h2c'];
      const forged = ['x-tenant: a', 'x_kvshare_tenant: a', 'x-kvshare-tenant: a'];
      const origin = ['forwarded: for=1.1.1.1', 'x-forwarded-for: 1.1.1.1', 'x-own: 1'];
      for (const more of [[], ['expect: 100-continue']]) {
        const lines = ['POST /up HTTP/1.1', `connection: ${connection}`, ...own, ...forged];
        const chunked = [...lines, ...origin, ...more, 'transfer-encoding: chunked'];
        const [request] = await sendRaw(chunked, '5\r\nhello\r\n0\r\n\r\n');
        expect(request!.body.toString()).toBe('hello');
        const { host: _, ...headers } = request!.headers;
        expect(headers).toEqual({
          ...{ connection: 'close', 'x-own': '1', 'transfer-encoding': 'chunked' },
        });
      }
    },
  );

  it.each(['DELETE', 'OPTIONS', 'GET', 'POST', 'PATCH'])(
    'sends the upstream no second request in the body of a %s (R2)',
    async (method) => {
      const inner = 'GET /secret HTTP/1.1\r\nhost: x\r\nx-kvshare-tenant: a\r\n\r\n';
      const chunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
      for (const connection of ['keep-alive', 'upgrade']) {
        const lines = [`${method} /up HTTP/1.1`, `connection: ${connection}`, 'upgrade: x'];
        const requests = await sendRaw([...lines, 'transfer-encoding: chunked'], chunk);
        expect(requests.map(({ url }) => url).filter((url) => url !== '/up')).toEqual([]);
        expect(requests.every(({ body }) => body.toString() === inner)).toBe(true);
      }
    },
  );

  it('answers 502 in OpenAI’s form when the upstream is gone', async () => {
    const lost = await serveSidecar(new ScriptedRunner(), { upstream: 'http://127.0.0.1:9' });
    const response = await fetch(`${lost.url}/anything`);
    const body = (await response.json()) as { error: { code: string } };
    expect([response.status, body.error.code]).toEqual([502, 'upstream_failed']);
    await lost.sidecar.close();
  });
});
