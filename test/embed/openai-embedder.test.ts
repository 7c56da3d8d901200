import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openAiEmbedder } from '../../src/embed/index.ts';

type Answer = (input: string[], response: ServerResponse) => void;
const vectorOf = (text: string): number[] => [text.length, 1, 0];
const good: Answer = (input, response) => {
  const data = input.map((text, index) => ({ index, embedding: vectorOf(text) })).reverse();
  response.end(JSON.stringify({ object: 'list', data }));
};

let server: Server;
let url: string;
let answer: Answer = good;
const seen: { authorization: string | undefined; count: number }[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: string[] };
      seen.push({ authorization: request.headers.authorization, count: input.length });
      answer(input, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const options = () => ({ url, model: 'm', apiKey: 'secret-key', timeoutMs: 300 });

describe('openAiEmbedder', () => {
  it('learns the dimension, keeps the order, sends batches, names its key', async () => {
    answer = good;
    const embedder = await openAiEmbedder(options());
    expect(embedder.dimension).toBe(3);
    const texts = Array.from({ length: 100 }, (_, i) => 'x'.repeat(i + 1));
    const vectors = await embedder.embed(texts);
    vectors.forEach((vector, i) => {
      expect(vector![0]! / vector![1]!).toBeCloseTo(i + 1, 4);
      expect(Math.hypot(...vector!)).toBeCloseTo(1, 5);
    });
    expect(seen.slice(-2).map(({ count }) => count)).toEqual([64, 36]);
    expect(seen.at(-1)!.authorization).toBe('Bearer secret-key');
  });

  const respond =
    (body: unknown, status = 200): Answer =>
    (_, response) => {
      response.statusCode = status;
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
  const one = (embedding: unknown, index: unknown = 0) => respond({ data: [{ index, embedding }] });
  it.each<[string, Answer]>([
    ['fails', respond({ error: 'text: top secret' }, 500)],
    ['redirects', respond('', 302)],
    ['answers with another count', respond({ data: [] })],
    ['answers with no vector', one(['1', '2', '3'])],
    ['answers with an infinite number', respond('{"data":[{"index":0,"embedding":[1,1e999,0]}]}')],
    ['answers with another index', one([1, 2, 3], 7)],
    ['answers with an index that is no number', one([1, 2, 3], null)],
    ['answers with an item that is none', respond({ data: [null] })],
    ['answers with NaN in words', one([1, 'NaN', 3])],
    ['answers with no embedding', one(null)],
    ['changes its dimension', one([1, 2])],
    ['is no JSON', respond('<html>')],
    ['answers with null', respond('null')],
    ['says nothing', () => undefined],
    [
      'stalls in the middle',
      (_, response) => {
        response.write('{"data":[');
      },
    ],
    ['breaks off', (_, response) => response.destroy()],
    [
      'sends without end',
      (_, response) => {
        const chunk = 'x'.repeat(1 << 20);
        const write = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on('drain', write);
        write();
      },
    ],
  ])('rejects when the server %s, without text or key', async (_, bad) => {
    answer = good;
    const embedder = await openAiEmbedder(options());
    answer = bad;
    const error = await embedder.embed(['top secret']).catch((e: unknown) => e as Error);
    expect(error).toMatchObject({ code: 'upstream_failed' });
    expect(String(error)).not.toMatch(/secret/);
  });

  it('does not follow a redirect', async () => {
    answer = good;
    const embedder = await openAiEmbedder(options());
    answer = (_, response) => response.writeHead(307, { location: `${url}/elsewhere` }).end();
    const before = seen.length;
    await expect(embedder.embed(['a'])).rejects.toMatchObject({ code: 'upstream_failed' });
    expect(seen).toHaveLength(before + 1);
  });

  it('rejects an index that comes twice', async () => {
    answer = good;
    const embedder = await openAiEmbedder(options());
    answer = respond({ data: [0, 0].map((index) => ({ index, embedding: [1, 2, 3] })) });
    await expect(embedder.embed(['a', 'b'])).rejects.toMatchObject({ code: 'upstream_failed' });
  });

  it('stops when the caller does', async () => {
    answer = good;
    const embedder = await openAiEmbedder({ ...options(), timeoutMs: 30_000 });
    answer = () => undefined;
    const abort = new AbortController();
    const asked = embedder.embed(['a'], abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(asked).rejects.toMatchObject({ code: 'upstream_failed' });
  });
});
