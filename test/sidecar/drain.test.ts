import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { RunnerClient } from '../../src/runner/client.ts';
import { serveRunner } from '../../src/runner/server.ts';
import { heldRunner } from '../support/held-runner.ts';
import { requestOf } from '../support/plans.ts';
import { ask, bearer, monitor, serveSidecar } from '../support/served.ts';

const north = bearer('key-north');
const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 };
const STREAMS = 200;
/** Of one tenant, who does not get all places. */
const maxInFlight = 2 * STREAMS;

async function openStreams(url: string): Promise<{ texts: Promise<string>[] }> {
  const responses = await Promise.all(
    Array.from({ length: STREAMS }, () =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...north },
        body: JSON.stringify({ ...body, stream: true }),
      }),
    ),
  );
  expect(responses.every(({ status }) => status === 200)).toBe(true);
  return { texts: responses.map((response) => response.text()) };
}

describe('a sidecar that is told to end (R21)', () => {
  it('says so first, refuses new requests, and lets 200 streams finish', async () => {
    const { runner, release } = heldRunner();
    const { sidecar, url } = await serveSidecar(runner, { maxInFlight });
    const { texts } = await openStreams(url);
    const closing = sidecar.close(20_000);
    await sleep(0);
    const ready = await monitor(url, '/readyz');
    expect([ready.status, await ready.json()]).toMatchObject([
      503,
      { status: 'draining', causes: ['the server is shutting down'], inFlight: STREAMS },
    ]);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    for (const path of ['/v1/chat/completions', '/kvshare/plan', '/elsewhere']) {
      const late = await ask(url, path, body, north);
      expect([late.status, late.body.error.code]).toEqual([503, 'shutting_down']);
      expect(late.headers.get('retry-after')).toBe('1');
      expect(late.headers.get('connection')).toBe('close');
    }
    release();
    for (const text of await Promise.all(texts)) expect(text).toContain('[DONE]');
    await closing;
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  });

  it('ends what is not done within the grace time with an error event', async () => {
    const { runner } = heldRunner();
    const { sidecar, url } = await serveSidecar(runner, { maxInFlight });
    const { texts } = await openStreams(url);
    const startedAt = performance.now();
    await sidecar.close(300);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    for (const text of await Promise.all(texts)) {
      expect(text).toContain('"code":"shutting_down"');
      expect(text).not.toContain('[DONE]');
    }
  });

  it('has started once the runner was reached, and says what it waits for', async () => {
    const { runner, release } = heldRunner();
    runner.up = false;
    const { sidecar, url } = await serveSidecar(runner);
    const before = await monitor(url, '/startupz');
    expect([before.status, await before.json()]).toEqual([
      503,
      { status: 'starting', causes: ['the runner is not reachable'] },
    ]);
    runner.restart();
    const status = async (path: string) => (await fetch(`${url}${path}`)).status;
    for (let i = 0; i < 200 && (await status('/startupz')) !== 200; i++) await sleep(25);
    expect(await status('/startupz')).toBe(200);
    runner.crash();
    for (let i = 0; i < 200 && (await status('/readyz')) === 200; i++) await sleep(25);
    expect([await status('/startupz'), await status('/readyz')]).toEqual([200, 503]);
    release();
    await sidecar.close();
  });
});

describe('a runner that is told to end', () => {
  it('finishes what it generates and begins nothing', async () => {
    const { runner, release } = heldRunner();
    const server = await serveRunner(runner, { port: 0, host: '127.0.0.1' });
    const client = new RunnerClient(`http://127.0.0.1:${server.port}`);
    const never = new AbortController().signal;
    const types: string[] = [];
    const answer = (async () => {
      for await (const { type } of client.generate(requestOf([1, 2, 3]), never)) types.push(type);
    })();
    while (types.length < 2) await sleep(5);
    const closing = server.close(20_000);
    const late = client.generate(requestOf([1, 2, 3]), never).next();
    await expect(late).rejects.toMatchObject({ code: 'shutting_down' });
    release();
    await answer;
    expect(types).toEqual(['receipt', 'token', 'end']);
    await closing;
    await client.close();
  });
});
