// An app may take its time to say who asks. Whoever waits for that takes no place from anybody: one tenant cannot have
// all places by being slow to be known, and what it asks then is bounded as ever.
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import express from 'express';
import { identifyBy } from '../../src/mount/app-identify.ts';
import { mounted, question, serveApp } from '../support/mounted.ts';
import { answering, receiptOf } from '../support/scripted-runner.ts';
import { ask, memoryLog } from '../support/served.ts';
import { until } from '../support/vectors.ts';

const CHAT = '/v1/chat/completions';
const PLACES = 8;
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

it.each([CHAT, '/v1/kvshare/plan'])('%s: those who wait hold no place', async (path) => {
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (tell = resolve));
  let waiting = 0;
  const { kv, runner } = mounted({
    maxInFlight: PLACES,
    identify: async ({ headers }: IncomingMessage) => {
      const tenant = String(headers['x-org']);
      if (tenant !== 'slow') return { tenant };
      waiting++;
      await told;
      return { tenant };
    },
  });
  const { url, server } = await serveApp(kv.listener('/v1'));
  open.push(
    () => server.closeAllConnections(),
    () => server.close(),
    () => kv.close(),
  );
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  runner.script = async function* (request, signal) {
    if (request.requestId === 'held') {
      yield { type: 'receipt', receipt: receiptOf(request) };
      await finished;
      yield { type: 'end', reason: 'length' };
    } else yield* answering(request, signal);
  };
  const other = () => ask(url, CHAT, question('Hi'), { 'x-org': 'other' });
  const crowd = Array.from({ length: 3 * PLACES }, () =>
    ask(url, path, question('Hi'), { 'x-org': 'slow', 'x-request-id': 'held' }),
  );
  await until(() => waiting === crowd.length);
  expect((await other()).status).toBe(200);
  tell();
  // The one of the other's before, and as many as one tenant may have.
  if (path === CHAT) await until(() => runner.requests.length === 1 + PLACES - 1);
  expect((await other()).status).toBe(200);
  finish();
  const answers = await Promise.all(crowd);
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(
    crowd.length - refused.length,
  );
  // One place of eight is kept for others.
  if (path === CHAT) expect(refused).toHaveLength(crowd.length - (PLACES - 1));
  expect(new Set(refused.map(({ body }) => body.error.code)).size).toBeLessThan(2);
});

it('waits for a bounded number of them; beyond, the oldest is private', async () => {
  const log = memoryLog();
  const identify = identifyBy(
    { identify: () => new Promise(() => undefined), identifyTimeoutMs: 200 },
    (request) => request,
    log,
  );
  let settled = 0;
  const all = Array.from({ length: 1_026 }, async () => {
    const principal = await identify(new IncomingMessage(new Socket()));
    settled++;
    return principal;
  });
  const [first, second] = await Promise.all(all.slice(0, 2));
  expect([first, second, settled]).toEqual([null, null, 2]);
  expect(log.lines).toHaveLength(2);
  await Promise.all(all);
});

it.each([CHAT, '/v1/kvshare/plan'])(
  '%s: what is too large is refused before anybody is asked',
  async (path) => {
    let asked = 0;
    const { kv } = mounted({
      identify: () => {
        asked++;
        return { tenant: 'ward' };
      },
    });
    const app = express();
    app.use(express.json({ limit: '20mb' }));
    app.use('/v1', kv);
    for (const handler of [kv.listener('/v1'), app]) {
      const { url, server } = await serveApp(handler);
      open.push(() => server.close());
      const large = question('x'.repeat(5 * 2 ** 20));
      expect((await ask(url, path, large)).status).toBe(413);
      expect(asked).toBe(0);
      // Nobody is refused the list of models, so nobody is asked who wants it.
      expect((await fetch(`${url}/v1/models`)).status).toBe(200);
      expect(asked).toBe(0);
      expect((await ask(url, path, question('Hi'))).status).toBe(200);
      expect(asked).toBe(1);
      asked = 0;
    }
    open.push(() => kv.close());
  },
);
