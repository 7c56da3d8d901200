import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { GenerateEvent, GenerateRequest } from '../../src/protocol/index.ts';
import { receiptOf, ScriptedRunner } from '../support/scripted-runner.ts';
import { ask, bearer, CONTEXT_LENGTH, metricsOf, serveSidecar } from '../support/served.ts';
import { tinyEngine } from '../support/tiny-engine.ts';

const guideline =
  'Two nurses check the name, the dose and the hour before any tablet leaves the trolley. '.repeat(
    6,
  );
const body = (content: string) => ({
  model: 'tiny',
  max_tokens: 2,
  temperature: 0,
  messages: [{ role: 'user', content }],
});
const complete = (url: string, content: string, key = 'key-north', headers: object = {}) =>
  ask(url, '/v1/chat/completions', body(content), { ...bearer(key), ...headers });

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await sleep(10);
  expect(condition()).toBe(true);
}

interface Shared {
  readonly outcome: string;
  readonly recomputed_tokens: number;
  readonly timings: { readonly waitedMs: number };
}
const sharedOf = (answer: Awaited<ReturnType<typeof ask>>): Shared =>
  answer.body.usage.prompt_tokens_details.kvshare as Shared;

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

/** A real engine that calls itself slow: how long is waited for it does not depend on who else uses this machine. */
async function serveEngine(overrides: Parameters<typeof serveSidecar>[1] = {}) {
  const { engine } = await tinyEngine({ vocabulary: 288, contextLength: CONTEXT_LENGTH });
  const info = engine.info.bind(engine);
  engine.info = async () => {
    const real = await info();
    return { ...real, speeds: { ...real.speeds, prefillMsPerToken: 40 } };
  };
  // It computes in this process, which reads nobody's body meanwhile.
  const served = await serveSidecar(engine, { bodyDeadlineMs: 120_000, ...overrides });
  close = async () => {
    await served.sidecar.close();
    await engine.close();
  };
  return served;
}

describe('with a real engine', () => {
  const prompts = (same: boolean) =>
    Array.from({ length: 6 }, (_, i) => `${guideline}\n\nPatient ${same ? 1 : i}: what now?`);

  it.each([true, false])('computes what prompts share once (identical: %s)', async (same) => {
    const served = await serveEngine();
    const answers = await Promise.all(prompts(same).map((text) => complete(served.url, text)));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200));
    const shared = answers.map(sharedOf);
    expect(shared.filter(({ outcome }) => outcome === 'cold')).toHaveLength(1);
    // The rest was read when the engine, in this process, had finished.
    const waited = shared.filter(({ timings }) => timings.waitedMs > 0).length;
    expect(waited).toBeGreaterThan(0);
    const metrics = await metricsOf(served.url);
    expect(metrics).toContain(`kvshare_single_flight_total{result="stored"} ${waited}`);
    expect(metrics).toContain(`kvshare_single_flight_wait_seconds_count ${waited}`);
  });

  it('computes it every time when switched off', async () => {
    const served = await serveEngine({ singleFlight: false });
    const answers = await Promise.all(prompts(true).map((text) => complete(served.url, text)));
    const shared = answers.map(sharedOf);
    expect(shared.filter(({ outcome }) => outcome === 'cold').length).toBeGreaterThan(1);
    expect(shared.every(({ timings }) => timings.waitedMs === 0)).toBe(true);
  });
});

describe('with a runner that computes until it is told otherwise', () => {
  /** Ends the computation of request n: kept, or failed. */
  let gates: ((how: 'store' | 'fail') => void)[];
  let runner: ScriptedRunner;
  let url: string;

  async function* script(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void> {
    const how = await new Promise<'store' | 'fail' | 'abort'>((resolve) => {
      gates.push(resolve);
      signal.addEventListener('abort', () => resolve('abort'));
    });
    if (how === 'abort') {
      yield { type: 'end', reason: 'cancelled' };
      return;
    }
    if (how === 'fail') {
      yield { type: 'error', code: 'runner_failed', message: '' };
      return;
    }
    yield { type: 'receipt', receipt: receiptOf(request) };
    const { scope, owner, tokens } = request;
    const counts = { exactTokens: tokens.length, promptTokens: tokens.length };
    const segment = `gen-a.${gates.length}`;
    yield { type: 'stored', context: { segment, scope, owner, tokens, ...counts } };
    yield { type: 'end', reason: 'stop' };
  }

  async function serve(msPerToken = 2, reuse: object = {}): Promise<void> {
    gates = [];
    runner = new ScriptedRunner();
    const info = await runner.info();
    const speeds = { ...info.speeds, prefillMsPerToken: msPerToken };
    runner.info = () => Promise.resolve({ ...info, speeds });
    runner.script = script;
    const served = await serveSidecar(runner, { reuse });
    close = () => served.sidecar.close();
    ({ url } = served);
  }
  const result = async (name: string): Promise<string | undefined> =>
    new RegExp(`single_flight_total\\{result="${name}"\\} (\\d+)`).exec(await metricsOf(url))?.[1];

  it('waits until the donor is stored, then imports it', async () => {
    await serve();
    const leader = complete(url, guideline);
    await until(() => gates.length === 1);
    const waiter = complete(url, guideline);
    await sleep(100);
    expect(runner.requests).toHaveLength(1);
    gates[0]!('store');
    await until(() => gates.length === 2);
    expect(runner.requests[1]!.plan!.imports[0]!.segment).toBe('gen-a.1');
    gates[1]!('store');
    const { timings } = sharedOf(await waiter);
    expect(timings.waitedMs).toBeGreaterThan(80);
    expect((await leader).status).toBe(200);
  });

  it('keeps tenants apart that choose the same request id', async () => {
    await serve();
    const id = { 'x-request-id': 'mine' };
    const send = (key: string, headers: Record<string, string>) =>
      ask(url, '/v1/chat/completions', body(guideline), { ...bearer(key), ...headers });
    const leader = send('key-north', id);
    await until(() => gates.length === 1);
    const other = send('key-south', id);
    await until(() => gates.length === 2);
    gates[1]!('fail');
    expect((await other).status).toBe(502);
    // The other's flight is over, this tenant's is not.
    const waiter = send('key-north', {});
    await sleep(100);
    expect(runner.requests).toHaveLength(2);
    gates[0]!('store');
    await until(() => gates.length === 3);
    expect(runner.requests[2]!.plan).not.toBeNull();
    gates[2]!('store');
    expect(sharedOf(await waiter).timings.waitedMs).toBeGreaterThan(80);
    expect((await leader).status).toBe(200);
  });

  it('goes on with one new leader when the leader’s client leaves, and when it fails', async () => {
    await serve();
    const client = new AbortController();
    const gone = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer('key-north') },
      body: JSON.stringify(body(guideline)),
      signal: client.signal,
    }).catch(() => 'gone');
    await until(() => gates.length === 1);
    const waiters = [1, 2, 3].map(() => complete(url, guideline));
    await sleep(100);
    client.abort();
    expect(await gone).toBe('gone');
    await until(() => gates.length === 2);
    await sleep(50);
    expect(runner.requests).toHaveLength(2);
    gates[1]!('fail');
    await until(() => gates.length === 3);
    await sleep(50);
    expect(runner.requests).toHaveLength(3);
    gates[2]!('store');
    await until(() => gates.length === 4);
    gates[3]!('store');
    const statuses = (await Promise.all(waiters)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 200, 502]);
    expect(await result('failed')).toBe('5');
    expect(await result('stored')).toBe('1');
  });

  it('does not wait for ever', async () => {
    await serve(0.2);
    const leader = complete(url, guideline);
    await until(() => gates.length === 1);
    const waiter = complete(url, guideline);
    // 100 ms + 0.2 ms a token are expected, twice that is waited for.
    await until(() => gates.length === 2);
    expect(runner.requests[1]!.plan).toBeNull();
    expect(await result('timeout')).toBe('1');
    gates[1]!('store');
    const { timings } = sharedOf(await waiter);
    expect(timings.waitedMs).toBeGreaterThan(150);
    expect(timings.waitedMs).toBeLessThan(1500);
    gates[0]!('store');
    expect((await leader).status).toBe(200);
  });

  it('leaves the waiting when the client does', async () => {
    await serve();
    const leader = complete(url, guideline);
    await until(() => gates.length === 1);
    const client = new AbortController();
    const waiter = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer('key-north') },
      body: JSON.stringify(body(guideline)),
      signal: client.signal,
    }).catch(() => 'gone');
    await sleep(100);
    client.abort();
    expect(await waiter).toBe('gone');
    await sleep(50);
    expect(await result('cancelled')).toBe('1');
    gates[0]!('store');
    expect((await leader).status).toBe(200);
  });

  it.each([
    ['another tenant', 'key-south', {}],
    ['bypass', 'key-north', { 'x-kvshare-cache-control': 'bypass' }],
    ['no-store', 'key-north', { 'x-kvshare-cache-control': 'no-store' }],
  ])('never makes %s wait', async (_, key, headers) => {
    await serve(20);
    const leader = complete(url, guideline);
    await until(() => gates.length === 1);
    const other = complete(url, guideline, key, headers);
    await until(() => gates.length === 2);
    gates[1]!('store');
    expect(sharedOf(await other).timings.waitedMs).toBe(0);
    gates[0]!('store');
    expect((await leader).status).toBe(200);
  });

  it('never waits under policy off, nor for a prompt that is not stored', async () => {
    await serve(20, { policy: 'off' });
    const off = [complete(url, guideline), complete(url, guideline)];
    await until(() => gates.length === 2);
    for (const gate of gates) gate('store');
    await Promise.all(off);
    await close();
    await serve(20);
    const unstored = { 'x-kvshare-cache-control': 'no-store' };
    const first = complete(url, guideline, 'key-north', unstored);
    await until(() => gates.length === 1);
    const second = complete(url, guideline);
    await until(() => gates.length === 2);
    for (const gate of gates) gate('store');
    expect((await first).status).toBe(200);
    expect(sharedOf(await second).timings.waitedMs).toBe(0);
  });

  it('does not wait for what shares too little', async () => {
    await serve();
    const leader = complete(url, guideline);
    await until(() => gates.length === 1);
    const other = complete(url, 'A prompt of its own, with nothing in common with any other one.');
    await until(() => gates.length === 2);
    for (const gate of gates) gate('store');
    expect((await leader).status).toBe(200);
    expect(sharedOf(await other).timings.waitedMs).toBe(0);
  });
});
