// Bodies that an app's own parsers have read: used as they are, under the same limits as bytes.
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express, { type RequestHandler } from 'express';
import express4 from 'express4';
import { toErrorBody } from '../../src/errors.ts';
import { IncomingBodies } from '../../src/sidecar/incoming-bodies.ts';
import { parsedBody, sentBody } from '../../src/sidecar/read-body.ts';

const MAX_BYTES = 2_000;
const bodies = new IncomingBodies({ maxBytes: MAX_BYTES, deadlineMs: 5_000 });
const swallow: RequestHandler = (request, _response, next) => {
  request.resume().once('end', () => next());
};
const parsers: Record<string, RequestHandler> = {
  json: express.json({ limit: '1mb', type: '*/*' }),
  raw: express.raw({ limit: '1mb', type: '*/*' }),
  text: express.text({ limit: '1mb', type: '*/*' }),
  // Looks away: in Express 4 it leaves an empty object behind.
  other: express4.json({ type: 'application/vnd.other' }),
  none: (_request, _response, next) => next(),
  swallow,
};

const app = express();
for (const [name, parser] of Object.entries(parsers)) {
  app.post(`/${name}`, parser, async (request, response) => {
    try {
      response.json(parsedBody(request, bodies) ?? (await sentBody(request, bodies)));
    } catch (error) {
      response.status(400).json(toErrorBody(error));
    }
  });
}
let url: string;
const server = app.listen(0);
beforeAll(() => {
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a client sees JSON
async function post(parser: string, body: string, chunked = false): Promise<any> {
  return new Promise((resolve, reject) => {
    const length = chunked ? {} : { 'content-length': Buffer.byteLength(body) };
    const sent = httpRequest(`${url}/${parser}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...length },
    });
    sent.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.once('end', () => resolve(JSON.parse(text) as unknown));
    });
    if (chunked) sent.flushHeaders();
    sent.end(body);
  });
}

const own = ['json', 'raw', 'text', 'other', 'none'];

describe.each(own)('behind the parser %s', (parser) => {
  it('the body is what was sent', async () => {
    const body = { model: 'tiny', messages: [{ role: 'user', content: 'Grüße "\\ \n' }], n: null };
    expect(await post(parser, JSON.stringify(body))).toEqual(body);
    expect(await post(parser, JSON.stringify(body), true)).toEqual(body);
  });

  it.each([
    ['one long text', JSON.stringify({ a: 'ü'.repeat(MAX_BYTES / 2 + 1) })],
    ['many short values', JSON.stringify({ a: new Array(MAX_BYTES).fill(0) })],
    ['long keys', JSON.stringify({ ['k'.repeat(MAX_BYTES + 1)]: 1 })],
  ])('%s over the limit is refused, whatever its framing says', async (_, body) => {
    for (const chunked of [false, true]) {
      expect((await post(parser, body, chunked)).error.code).toBe('body_too_large');
    }
  });

  it('deep nesting, lists and empty bodies are refused', async () => {
    const deep = `{"a":${'['.repeat(70)}${']'.repeat(70)}}`;
    expect((await post(parser, deep)).error.code).toBe('invalid_json');
    expect((await post(parser, '[1]')).error.code).toBe('invalid_request');
    // express.json() takes no bytes for an empty object.
    const empty = await post(parser, '');
    if (parser === 'json') expect(empty).toEqual({});
    else expect(empty.error.code).toBe('invalid_json');
  });
});

it('says so when the body is gone', async () => {
  const { error } = await post('swallow', '{"a":1}');
  expect(error.code).toBe('invalid_request');
  expect(error.message).toContain('read before');
});
