// An app that is told to end calls `close`: what R21 asks of the sidecar holds for whoever mounts it, over real HTTP.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import express from 'express';
import type { KvShare, KvShareOptions } from '../../src/mount/index.ts';
import { heldRunner } from '../support/held-runner.ts';
import { hasContent, mounted, postStream, question, serveApp } from '../support/mounted.ts';
import { ask, CONTEXT_LENGTH } from '../support/served.ts';
import { tinyEngine } from '../support/tiny-engine.ts';

const CHAT = '/v1/chat/completions';
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** An app with a readiness probe of its own. */
async function appWith(kv: KvShare): Promise<string> {
  const app = express();
  app.get('/readyz', (_request, response) => {
    const { status, causes } = kv.health();
    response.status(status === 'ready' ? 200 : 503).json({ status, causes });
  });
  app.use('/v1', kv);
  app.use((_request, response) => void response.status(418).send('theirs'));
  const { url, server } = await serveApp(app);
  open.push(
    () => server.closeAllConnections(),
    () => server.close(),
    () => kv.close({ graceMs: 0 }),
  );
  return url;
}

async function heldApp(options: Partial<KvShareOptions> = {}) {
  const { runner, release } = heldRunner();
  const { kv } = mounted({ runner, identify: () => ({ tenant: 'ward' }), ...options });
  const url = await appWith(kv);
  await kv.ready();
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const streaming = postStream(`${url}${CHAT}`, question('Hi', { stream: true }), {}, begin);
  await begun;
  return { url, kv, runner, release, streaming };
}

const isSettled = (work: Promise<unknown>): Promise<boolean> =>
  Promise.race([work.then(() => true), sleep(50, false)]);

it('lets a running stream finish, refuses new requests, says so to probes, and ends', async () => {
  const { url, kv, runner, release, streaming } = await heldApp();
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const watchers = [...runner.watchers];
  expect(watchers).toHaveLength(1);
  let isClosed = false;
  runner.close = () => Promise.resolve(void (isClosed = true));

  const closing = kv.close();
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toMatchObject([503, { status: 'draining' }]);
  for (const path of [CHAT, '/v1/completions', '/v1/kvshare/plan']) {
    const late = await ask(url, path, question('Hi'));
    expect([path, late.status, late.body.error.code]).toEqual([path, 503, 'shutting_down']);
    expect(late.headers.get('retry-after')).toBe('1');
    expect(late.headers.get('connection')).toBe('close');
  }
  expect((await fetch(`${url}/elsewhere`)).status).toBe(418);
  expect(await kv.metrics()).toContain('kvshare_errors_total{code="shutting_down"} 3');
  expect(await kv.metrics()).toContain('kvshare_requests_in_flight 1');
  expect(await isSettled(closing)).toBe(false);

  release();
  const { status, events } = await streaming;
  expect([status, events.at(-1)]).toEqual([200, '[DONE]']);
  expect(events.filter(hasContent)).toHaveLength(1);
  await closing;
  // Whoever calls again waits for the same end; the runner is the app's.
  await kv.close();
  expect(isClosed).toBe(false);
  for await (const event of watchers[0]!) expect(event.type).toBe('hello');
});

it('ends what takes longer with an error event that its client can read', async () => {
  const { kv, streaming, runner } = await heldApp();
  expect(runner.requests).toHaveLength(1);
  await kv.close({ graceMs: 50 });
  const { text, events } = await streaming;
  expect(text).toContain('"code":"shutting_down"');
  expect(events).not.toContain('[DONE]');
});

it('hands new requests on where the app wants to serve without it', async () => {
  const { url, kv, release, streaming } = await heldApp({ whileStarting: 'next' });
  const closing = kv.close();
  const late = await fetch(`${url}${CHAT}`, { method: 'POST', body: '{}' });
  expect([late.status, await late.text()]).toEqual([418, 'theirs']);
  release();
  expect((await streaming).events.at(-1)).toBe('[DONE]');
  await closing;
});

it('closes while it is still being opened: nobody waits for that, and what comes late is let go of', async () => {
  const { runner } = heldRunner();
  let arrive: () => void = () => undefined;
  const { kv } = mounted({
    runner: new Promise((resolve) => (arrive = () => resolve(runner))),
  });
  const url = await appWith(kv);
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'starting' });
  expect(await kv.metrics()).toBe('');
  const waiting = ask(url, CHAT, question('Hi'));
  expect(await isSettled(waiting)).toBe(false);
  await kv.close({ graceMs: 20 });
  const { status, body } = await waiting;
  expect([status, body.error.code]).toEqual([503, 'shutting_down']);
  arrive();
  for (let i = 0; i < 100 && runner.watchers.size === 0; i++) await sleep(10);
  const [watcher] = runner.watchers;
  for await (const event of watcher!) expect(event.type).toBe('hello');
  expect(runner.requests).toEqual([]);
});

it('has written what is kept over a restart, and compares nothing any more', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-mount-'));
  open.push(() => rm(folder, { recursive: true }));
  const [guardFile, record] = [join(folder, 'guard.json'), join(folder, 'requests.jsonl')];
  const { engine } = await tinyEngine({ vocabulary: 288, contextLength: CONTEXT_LENGTH });
  open.push(() => engine.close());
  const { kv } = mounted({
    runner: engine,
    identify: () => ({ tenant: 'ward' }),
    reuse: { minReuse: 0.1, mergeGap: 4, qualityBudget: { share: 1, kl: 10, top1: 0 } },
    guardFile,
    record: { path: record, plainTokens: true },
  });
  const url = await appWith(kv);
  await kv.ready();
  const advice = 'wash the hands with warm water when the door is near because germs harm';
  const send = (card: string) => ask(url, CHAT, question(`Card of ${card}\n${advice}\nWhat now?`));
  await send('Ann');
  const answer = await send('Benjamin Beaumont');
  expect(answer.body.usage.prompt_tokens_details.kvshare.outcome).toBe('reused');
  const compared = async () =>
    (await kv.metrics()).includes('kvshare_guard_divergence_nats_count 1');
  for (let i = 0; i < 400 && !(await compared()); i++) await sleep(10);
  await kv.close();
  expect(JSON.parse(await readFile(guardFile, 'utf8'))).toMatchObject({
    model: 'tiny',
    watches: [{ route: 'default', compared: 1 }],
  });
  expect((await readFile(record, 'utf8')).trim().split('\n')).toHaveLength(2);
  expect((await engine.info()).requests).toEqual({ running: 0, waiting: 0 });
});
