// A runner without room for a request (security test R16): the client is told to come again, and is served then.
import { afterEach, expect, it } from '@jest/globals';
import { RunnerClient } from '../../src/runner/client.ts';
import { serveRunner } from '../../src/runner/server.ts';
import { collect, requestOf } from '../support/plans.ts';
import { ask, bearer, CONTEXT_LENGTH, metricsOf, serveSidecar } from '../support/served.ts';
import { tinyEngine } from '../support/tiny-engine.ts';

const north = bearer('key-north');
const PER_TOKEN = 3 * 2 * 2 * 8 * 4;

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

async function serveSmall() {
  const { engine } = await tinyEngine({
    ...{ vocabulary: 288, contextLength: CONTEXT_LENGTH },
    ...{ maxKvBytes: 400 * PER_TOKEN, memoryWaitMs: 100 },
  });
  const server = await serveRunner(engine, { port: 0, host: '127.0.0.1' });
  const client = new RunnerClient(`http://127.0.0.1:${server.port}`);
  const { sidecar, url } = await serveSidecar(client);
  close = async () => {
    await sidecar.close();
    await client.close();
    await server.close();
  };
  return { engine, url };
}

const chat = (content: string, max_tokens: number, stream = false) => ({
  ...{ model: 'tiny', max_tokens, stream, temperature: 0 },
  messages: [{ role: 'user', content }],
});

it('answers 503 with Retry-After, streamed or not, and serves again when there is room', async () => {
  const { engine, url } = await serveSmall();
  const path = '/v1/chat/completions';
  const abort = new AbortController();
  // Somebody else's, without end.
  const sampling = { maxTokens: 300, stopTokens: [] };
  const long = collect(engine.generate(requestOf([1, 2, 3, 4], { sampling }), abort.signal));
  for (const stream of [false, true]) {
    const { status, headers, body } = await ask(url, path, chat('And I?', 200, stream), north);
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(body.error).toMatchObject({ code: 'memory_short', type: 'server_error' });
  }
  expect(await metricsOf(url)).toContain('kvshare_errors_total{code="memory_short"} 2');
  abort.abort();
  expect((await long).end).toBe('cancelled');
  expect((await ask(url, path, chat('And I?', 5), north)).status).toBe(200);
  engine.store.checkIntegrity();
  expect(engine.store.info.runningBytes).toBe(0);
});
