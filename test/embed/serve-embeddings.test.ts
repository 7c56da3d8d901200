import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openAiEmbedder, serveEmbeddings } from '../../src/embed/index.ts';
import { embedText, wordEmbedder } from '../support/word-embedder.ts';

let server: Awaited<ReturnType<typeof serveEmbeddings>>;
let url: string;
const embedder = wordEmbedder((text) => {
  if (text === 'fail') throw new Error('a secret text');
  return embedText(text);
});
beforeAll(async () => {
  server = await serveEmbeddings(embedder, { port: 0, host: '127.0.0.1' });
  url = `http://127.0.0.1:${server.port}`;
});
afterAll(() => server.close());

const post = async (body: unknown, path = '/v1/embeddings') => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${url}${path}`, { method: 'POST', body: text });
  return { status: response.status, text: await response.text() };
};

describe('serveEmbeddings', () => {
  it('gives our own client what the embedder gives', async () => {
    const client = await openAiEmbedder({ url: `${url}/v1`, model: 'm', apiKey: null });
    expect(client.dimension).toBe(embedder.dimension);
    const [one, nothing, two] = await client.embed(['wash the hands', '', 'a red bicycle']);
    const near = (a: Float32Array, b: Float32Array): number =>
      a.reduce((gap, x, i) => Math.max(gap, Math.abs(x - b[i]!)), 0);
    expect(near(one!, embedText('wash the hands')!)).toBeLessThan(1e-6);
    expect(near(two!, embedText('a red bicycle')!)).toBeLessThan(1e-6);
    expect(nothing).toBeNull();
  });

  it.each<[string, unknown, number, string]>([
    ['no JSON', '{', 400, 'invalid_json'],
    ['null', 'null', 400, 'invalid_request'],
    ['a number', { input: 3 }, 400, 'invalid_request'],
    ['nothing', { input: [] }, 400, 'invalid_request'],
    ['token ids', { input: [[1, 2]] }, 400, 'invalid_request'],
    ['too many texts', { input: Array.from({ length: 257 }, () => 'a') }, 400, 'invalid_request'],
    ['base64', { input: 'a', encoding_format: 'base64' }, 400, 'unsupported_parameter'],
    ['too much', { input: 'x'.repeat(5 * 2 ** 20) }, 413, 'body_too_large'],
    ['what fails', { input: 'fail' }, 500, 'internal_error'],
  ])('refuses %s with a code and without the text', async (_, body, status, code) => {
    const answer = await post(body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code } });
    expect(answer.text).not.toContain('secret');
  });

  it('knows its paths and methods', async () => {
    expect((await post({ input: 'a' }, '/v1/other')).status).toBe(404);
    expect((await fetch(`${url}/v1/embeddings`)).status).toBe(405);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('says when its port is taken', async () => {
    const again = serveEmbeddings(wordEmbedder(), { port: server.port, host: '127.0.0.1' });
    await expect(again).rejects.toMatchObject({ code: 'port_in_use' });
  });
});
