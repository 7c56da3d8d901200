import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KvShareError } from '../../src/errors.ts';
import { ask, bearer, metricsOf, monitor, serveSidecar } from '../support/served.ts';
import { answering, receiptOf, ScriptedRunner, storing } from '../support/scripted-runner.ts';

const north = bearer('key-north');
const south = bearer('key-south');
const long = 'The same guideline for every patient of the ward. '.repeat(12);
const chat = (content: string, more: object = {}) => ({
  model: 'tiny',
  max_tokens: 4,
  messages: [{ role: 'user', content }],
  ...more,
});

let runner: ScriptedRunner;
let served: Awaited<ReturnType<typeof serveSidecar>>;
async function serve(overrides: Parameters<typeof serveSidecar>[1] = {}): Promise<void> {
  runner = new ScriptedRunner();
  served = await serveSidecar(runner, overrides);
}
afterEach(() => served.sidecar.close());

const metrics = (): Promise<string> => metricsOf(served.url);
const complete = (content = 'Hi', more: object = {}) =>
  ask(served.url, '/v1/chat/completions', chat(content, more), north);

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await condition()) return;
    await sleep(25);
  }
  throw new Error('did not happen within five seconds');
}

describe('what the runner did beyond ranges', () => {
  it('stands in the usage: picks of a top-up, tokens refreshed while decoding', async () => {
    await serve();
    runner.script = async function* (request) {
      yield { type: 'receipt', receipt: receiptOf(request, { toppedUpTokens: 7 }) };
      yield { type: 'token', id: 60 };
      yield { type: 'end', reason: 'length', refreshedTokens: 3 };
    };
    const { usage } = (await complete()).body;
    expect(usage.prompt_tokens_details.kvshare).toMatchObject({
      topped_up_tokens: 7,
      refreshed_tokens: 3,
    });
    runner.script = answering;
    const plain = (await complete()).body.usage.prompt_tokens_details.kvshare;
    expect(plain).not.toHaveProperty('topped_up_tokens');
    expect(plain).not.toHaveProperty('refreshed_tokens');
  });
});

describe('faults on the way to the runner', () => {
  it('answers 503 while the runner is down and recovers by itself', async () => {
    await serve();
    expect((await complete()).status).toBe(200);
    runner.crash();
    await until(async () => (await fetch(`${served.url}/readyz`)).status === 503);
    const down = await complete();
    expect([down.status, down.body.error.code]).toEqual([503, 'runner_unavailable']);
    expect(down.headers.get('retry-after')).toBe('1');
    expect((await fetch(`${served.url}/livez`)).status).toBe(200);
    runner.restart();
    await until(async () => (await fetch(`${served.url}/readyz`)).status === 200);
    expect((await complete()).status).toBe(200);
  });

  it('forgets the donors of a runner that was restarted', async () => {
    await serve();
    runner.script = storing('gen-a.0');
    await complete(long);
    await complete(long);
    expect(runner.requests.at(-1)!.plan!.imports[0]!.segment).toBe('gen-a.0');
    runner.script = answering;
    runner.crash();
    runner.restart();
    await until(async () => (await complete('wake up')).status === 200);
    await complete(long);
    expect(runner.requests.at(-1)!.plan).toBeNull();
  });

  it('forgets an evicted donor', async () => {
    await serve();
    runner.script = storing('gen-a.0');
    await complete(long);
    for (const watcher of runner.watchers) watcher.push({ type: 'evicted', segments: ['gen-a.0'] });
    await sleep(20);
    await complete(long);
    expect(runner.requests.at(-1)!.plan).toBeNull();
  });

  it('says what the runner keeps where, and that its disk is ill', async () => {
    await serve();
    const sizes = { bytes: 5, maxBytes: 9 };
    runner.store = {
      ...sizes,
      contexts: 2,
      tiers: {
        host: { ...sizes, format: 'int8' },
        disk: { bytes: 7, maxBytes: 8, isHealthy: false },
        movedBytes: { toHost: 1, toDisk: 2, fromHost: 3, fromDisk: 4 },
        pages: { lost: 5, damaged: 6, notFinite: 7 },
        refusedContexts: 8,
      },
    };
    runner.crash();
    runner.restart();
    await until(async () => (await metrics()).includes('kvshare_store_bytes{tier="disk"} 7'));
    for (const line of [
      'kvshare_store_bytes{tier="host"} 5',
      'kvshare_store_disk_healthy 0',
      'kvshare_store_moved_bytes_total{way="fromDisk"} 4',
      'kvshare_store_dropped_pages_total{fate="damaged"} 6',
      'kvshare_store_refused_contexts_total 8',
    ]) {
      expect(await metrics()).toContain(line);
    }
    const ready = await fetch(`${served.url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { status: 'degraded' }]);
  });

  it('goes cold, and counts it, when the runner refuses a plan', async () => {
    await serve();
    runner.script = storing('gen-a.0');
    await complete(long);
    runner.script = async function* (request, signal) {
      if (request.plan) throw new KvShareError('plan_unknown_segment', 'gone');
      yield* answering(request, signal);
    };
    const { status, body } = await complete(long);
    expect([status, body.usage.prompt_tokens_details.kvshare.outcome]).toEqual([200, 'cold']);
    expect(await metrics()).toContain('kvshare_fail_open_total{stage="runner"} 1');
  });

  it('goes cold, and counts it, when planning throws', async () => {
    await serve();
    runner.script = storing('gen-a.0');
    await complete(long);
    // The runner reports speeds that make the planner's arithmetic fail.
    runner.script = storing('gen-a.1');
    const broken = Object.defineProperty({}, 'prefillFixedMs', {
      get: () => {
        throw new Error('broken table');
      },
    });
    const info = await runner.info();
    runner.info = () => Promise.resolve({ ...info, speeds: broken as never });
    runner.crash();
    runner.up = true;
    await until(async () => (await complete('wake up')).status === 200);
    const { status, body } = await complete(long);
    expect([status, body.usage.prompt_tokens_details.kvshare]).toMatchObject([
      200,
      { outcome: 'cold', reason: 'planner-error' },
    ]);
    expect(await metrics()).toMatch(/kvshare_fail_open_total\{stage="plan"\} [1-9]/);
  });

  it('makes no plans for a runner of another protocol version', async () => {
    await serve();
    const info = await runner.info();
    runner.info = () => Promise.resolve({ ...info, protocolVersions: [7] });
    runner.script = storing('gen-a.0');
    runner.crash();
    runner.up = true;
    await until(async () => (await complete(long)).status === 200);
    const { body } = await complete(long);
    expect(body.usage.prompt_tokens_details.kvshare).toMatchObject({
      outcome: 'cold',
      reason: 'plan-version',
    });
    expect(runner.requests.at(-1)!.plan).toBeNull();
  });

  it('says so when the runner used less than planned', async () => {
    await serve();
    runner.script = storing('gen-a.0');
    await complete(long);
    runner.script = async function* (request) {
      const change = { degraded: 'segment-evicted', missingSegments: ['gen-a.0'] } as const;
      yield { type: 'receipt', receipt: receiptOf(request, change) };
      yield { type: 'end', reason: 'stop' };
    };
    const { body } = await complete(long);
    expect(body.usage.prompt_tokens_details.kvshare.reason).toBe('runner-degraded');
    // The donor that is gone is not planned with again.
    expect(runner.requests.at(-1)!.plan).not.toBeNull();
    await complete(long);
    expect(runner.requests.at(-1)!.plan).toBeNull();
  });
});

const waiting: typeof answering = async function* (request, signal) {
  yield { type: 'receipt', receipt: receiptOf(request) };
  yield { type: 'token', id: 60 };
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  yield { type: 'end', reason: 'cancelled' };
};

describe('limits', () => {
  it('answers 429 with Retry-After when it is full', async () => {
    await serve({ maxInFlight: 1, requestDeadlineMs: 2_000 });
    runner.script = waiting;
    const first = complete();
    await until(() => runner.requests.length === 1);
    const second = await complete();
    expect([second.status, second.body.error.code]).toEqual([429, 'queue_full']);
    expect(second.body.error.type).toBe('rate_limit_error');
    expect(second.headers.get('retry-after')).toBe('1');
    expect((await first).status).toBe(504);
    runner.script = answering;
    expect((await complete()).status).toBe(200);
  });

  it('keeps a place for the other tenants when one has taken all the rest', async () => {
    await serve({ maxInFlight: 4, requestDeadlineMs: 5_000 });
    runner.script = waiting;
    const leave = new AbortController();
    const ask = (headers: Record<string, string>, signal?: AbortSignal): Promise<Response> =>
      fetch(`${served.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ model: 'default', prompt: 'Good morning.', max_tokens: 4 }),
        ...(signal && { signal }),
      });
    const held = [1, 2, 3].map(() => ask(north, leave.signal).catch(() => null));
    await until(() => runner.requests.length === 3);
    const fourth = await ask(north);
    const { error } = (await fourth.json()) as { error: { code: string; message: string } };
    expect([fourth.status, error.code]).toEqual([429, 'queue_full']);
    expect(error.message).toContain("This tenant's 3 requests");
    runner.script = answering;
    expect((await ask(south)).status).toBe(200);
    leave.abort();
    await Promise.all(held);
    // Places that were given back are there again.
    await until(async () => (await ask(north)).status === 200);
  });

  it('ends at the deadline: 504, or an error event without [DONE]', async () => {
    await serve({ requestDeadlineMs: 150 });
    runner.script = waiting;
    const whole = await complete();
    expect([whole.status, whole.body.error.code]).toEqual([504, 'request_timeout']);
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...north },
      body: JSON.stringify(chat('Hi', { stream: true })),
    });
    const text = await response.text();
    expect(text).toContain('"code":"request_timeout"');
    expect(text).not.toContain('[DONE]');
  });

  it('never ends a broken stream cleanly', async () => {
    await serve();
    runner.script = async function* (request) {
      yield { type: 'receipt', receipt: receiptOf(request) };
      yield { type: 'token', id: 60 };
      throw new Error('socket gone: secret-canary');
    };
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...north },
      body: JSON.stringify(chat('Hi', { stream: true })),
    });
    const text = await response.text();
    expect(text).toContain('"code":"internal_error"');
    expect(text).not.toContain('[DONE]');
    expect(text).not.toContain('canary');
    expect(served.log.lines.join()).not.toContain('canary');
  });

  it.each([
    ['/v1/chat/completions', chat('Hi', { stream: true })],
    ['/v1/completions', { model: 'tiny', prompt: 'Hi', stream: true }],
  ])('%s shows the outcome before a slow first token', async (path, body) => {
    await serve();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    runner.script = async function* (request) {
      yield { type: 'receipt', receipt: receiptOf(request) };
      await held;
      yield { type: 'token', id: 60 };
      yield { type: 'end', reason: 'length' };
    };
    const headers = { 'content-type': 'application/json', ...north };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const response = await fetch(`${served.url}${path}`, init);
    expect(response.headers.get('x-kvshare-outcome')).toBe('cold');
    release();
    expect(await response.text()).toContain('[DONE]');
  });

  it('cancels the runner when the client leaves', async () => {
    await serve();
    let cancelled = false;
    runner.script = async function* (request, signal) {
      signal.addEventListener('abort', () => (cancelled = true));
      yield* waiting(request, signal);
    };
    const leave = new AbortController();
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...north },
      body: JSON.stringify(chat('Hi', { stream: true })),
      signal: leave.signal,
    });
    await response.body!.getReader().read();
    leave.abort();
    await until(() => cancelled);
    const ready = (await (await monitor(served.url, '/readyz')).json()) as { inFlight: number };
    expect(ready.inFlight).toBe(0);
  });
});
