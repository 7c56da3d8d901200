// Who shares with whom, what listeners hear, how it starts; and the same mount in Fastify and node:http.
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import fastify, { type FastifyRequest } from 'fastify';
import { tenantScope } from '../../src/match/index.ts';
import type { KvShareOptions } from '../../src/mount/index.ts';
import {
  hasContent,
  lockstep,
  mounted,
  postStream,
  question,
  serveApp,
  TOKENS,
} from '../support/mounted.ts';
import { ask } from '../support/served.ts';

const CHAT = '/v1/chat/completions';
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function listen(options: Partial<KvShareOptions> = {}, next?: (error?: unknown) => void) {
  const parts = mounted(options);
  const listener = parts.kv.listener('/v1');
  const { url, server } = await serveApp((request, response) => {
    listener(request, response, next && ((error) => (next(error), response.end('theirs'))));
  });
  open.push(
    () => server.closeAllConnections(),
    () => server.close(),
    () => parts.kv.close(),
  );
  return { ...parts, url };
}

describe('identify', () => {
  it.each<[string, KvShareOptions['identify'], number]>([
    ['none', undefined, 0],
    ['null', () => null, 0],
    [
      'a throwing one',
      () => {
        throw new Error('secret');
      },
      1,
    ],
    ['a rejecting one', () => Promise.reject(new Error('secret')), 1],
    ['no name', () => ({ tenant: '' }), 1],
    ['a number', () => ({ tenant: 7 as unknown as string }), 1],
  ])('%s: private, no sharing, no error', async (_, identify, warnings) => {
    const { url, runner, log } = await listen({ ...(identify && { identify }) });
    const body = question('Hi', { user: 'mallory', tenant: 'ward' });
    const answer = await ask(url, CHAT, body, { authorization: 'Bearer ward' });
    expect(answer.status).toBe(200);
    const { outcome, reason } = answer.body.usage.prompt_tokens_details.kvshare;
    expect([outcome, reason]).toEqual(['cold', 'no-donor']);
    expect(runner.requests[0]).toMatchObject({ store: false, owner: null, plan: null });
    // Nobody is refused the list of models, so nobody is asked who wants it.
    const models = await fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer ward' } });
    expect(models.status).toBe(200);
    expect(log.lines.filter((line) => line.includes('identify failed'))).toHaveLength(warnings);
    expect(log.lines.join()).not.toContain('secret');
  });

  it('takes tenant and user from it alone, at once or later; a salt only narrows', async () => {
    const identify = async ({ headers }: IncomingMessage) => {
      await sleep(1);
      return { tenant: String(headers['x-org']), user: 'ann' };
    };
    const { url, runner } = await listen({ identify });
    const body = question('Hi', { user: 'mallory', cache_salt: 'blue' });
    await ask(url, CHAT, body, { 'x-org': 'ward' });
    expect(runner.requests[0]).toMatchObject({
      scope: tenantScope('ward', 'blue'),
      owner: tenantScope('ward', 'user:ann'),
    });
  });
});

it('tells listeners, whose failures hurt nobody, and no text', async () => {
  const { url, kv, runner, log } = await listen({ identify: () => ({ tenant: 'ward' }) });
  const heard: unknown[] = [];
  kv.on('plan', () => {
    throw new Error('listener');
  });
  kv.on('plan', () => Promise.reject(new Error('listener')));
  kv.once('plan', (event) => heard.push(event)).on('receipt', (event) => heard.push(event));
  kv.on('evict', (event) => heard.push(event));
  await kv.ready();
  for (let i = 0; i < 2; i++) expect((await ask(url, CHAT, question('canary'))).status).toBe(200);
  for (const watcher of runner.watchers) watcher.push({ type: 'evicted', segments: ['gen-a.1'] });
  await sleep(50);
  expect(heard).toMatchObject([
    { tenant: 'ward', route: 'default', outcome: 'cold' },
    { tenant: 'ward', receipt: { importedTokens: 0 } },
    { tenant: 'ward', receipt: { importedTokens: 0 } },
    { segments: ['gen-a.1'] },
  ]);
  expect(JSON.stringify(heard)).not.toContain('canary');
  expect(log.lines.filter((line) => line.includes('a listener failed'))).toHaveLength(4);
});

it('hands on what is bypassed, early or not ours; waits otherwise; ends with close', async () => {
  const bypassed = await listen({ bypass: ({ headers }) => 'x-old' in headers }, () => undefined);
  const old = await fetch(`${bypassed.url}${CHAT}`, { method: 'POST', headers: { 'x-old': '1' } });
  expect(await old.text()).toBe('theirs');
  expect(bypassed.runner.requests).toEqual([]);
  expect((await ask(bypassed.url, CHAT, question('Hi'))).status).toBe(200);
  expect(await (await fetch(`${bypassed.url}/other`)).text()).toBe('theirs');

  const { runner } = mounted();
  const later = sleep(200).then(() => runner);
  const early = await listen({ runner: later, whileStarting: 'next' }, () => undefined);
  expect(await (await fetch(`${early.url}${CHAT}`, { method: 'POST' })).text()).toBe('theirs');
  const waiting = await listen({ runner: later });
  expect((await ask(waiting.url, CHAT, question('Hi'))).status).toBe(200);
  await waiting.kv.close();
  const closed = await ask(waiting.url, CHAT, question('Hi'));
  expect([closed.status, closed.body.error.code]).toEqual([503, 'shutting_down']);
  expect((await ask(waiting.url, '/v1/nothing', {})).body.error.code).toBe('not_found');
});

it.each([
  [{ runner: 'nowhere' }, 'runner'],
  [{ reuse: { minRuns: 32 } }, 'Did you mean "minRun"'],
  [{ routes: [{ match: { key: 'k' }, reuse: {} }] }, 'routes[0].match.key'],
  [{ errors: 'throw' }, 'errors'],
])('refuses %j', (options, message) => {
  expect(() => mounted(options as never)).toThrow(message);
});

it('is a plugin for Fastify: streams, hooks’ headers, its request for identify, its error handler', async () => {
  const { kv, runner } = mounted<FastifyRequest>({
    errors: 'next',
    identify: (request) => ({ tenant: String(request.headers['x-org']), user: request.id }),
  });
  const app = fastify();
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-theirs', '1'));
  app.setErrorHandler((error, _request, reply) =>
    reply.code(418).send((error as { code?: string }).code),
  );
  app.post('/v1/other', (request, reply) => reply.send(request.body));
  await app.register(kv.fastify, { prefix: '/v1' });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  open.push(
    () => app.close(),
    () => kv.close(),
  );
  const { script, seen } = lockstep();
  runner.script = script;
  const body = question('Hi', { stream: true });
  const answer = await postStream(`${url}${CHAT}`, body, { 'x-org': 'ward' }, seen);
  expect(answer.events.filter(hasContent)).toHaveLength(TOKENS);
  expect(answer.headers['x-theirs']).toBe('1');
  expect(runner.requests[0]).toMatchObject({ scope: tenantScope('ward', null) });
  const failed = await postStream(`${url}${CHAT}`, question('Hi', { n: 2 }));
  expect([failed.status, failed.text]).toEqual([418, 'unsupported_parameter']);
  expect((await ask(url, '/v1/other', { a: 1 })).body).toEqual({ a: 1 });
});
