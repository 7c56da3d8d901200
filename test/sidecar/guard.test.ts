// The guard through real HTTP: reused answers are compared with full prefill when nobody is served, bad ones make
// the route reuse less. With the real model and spoiled KV: drill.model.test.ts.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { defaultReuse, readReuse, type ReuseSettings } from '../../src/routes/index.ts';
import { ask, bearer, metricsOf, serveTiny } from '../support/served.ts';

let served: Awaited<ReturnType<typeof serveTiny>>;
const folders: string[] = [];
afterEach(async () => {
  await served.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

const north = bearer('key-north');
const advice = 'wash the hands with warm water when the door is near because germs harm';
const chat = (card: string) => ({
  model: 'tiny',
  max_tokens: 2,
  temperature: 0,
  messages: [{ role: 'user', content: `Card of ${card}\n${advice}\nWhat now?` }],
});
const send = (card: string) => ask(served.url, '/v1/chat/completions', chat(card), north);
const explain = async (card: string) =>
  (await ask(served.url, '/kvshare/plan', chat(card), north)).body;
const kvshareOf = ({ body }: Awaited<ReturnType<typeof ask>>) =>
  body.usage.prompt_tokens_details.kvshare as { reason: string; outcome: string };

const ward = (settings: ReuseSettings) => {
  const reuse = readReuse({ mergeGap: 4, minReuse: 0.1, ...settings }, defaultReuse);
  const options = { ...reuse.options, fallbacks: false };
  return [{ name: 'ward', match: {}, reuse: { ...reuse, options } }];
};
const watched = ward({ qualityBudget: { share: 1, kl: 10, top1: 0 } });
/** More than all: every comparison is bad. */
const doomed = ward({ qualityBudget: { share: 1, top1: 1.1 } });

async function metric(name: string): Promise<number> {
  const text = await metricsOf(served.url);
  return text
    .split('\n')
    .filter((line) => line.startsWith(name))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200 && !(await condition()); i++) await sleep(25);
  expect(await condition()).toBe(true);
}
const compared = () => metric('kvshare_guard_samples_total{route="ward"');

/** Sends one request and waits for its comparison. */
async function sendAndCompare(card: string) {
  const before = await compared();
  const answer = await send(card);
  await until(async () => (await compared()) > before);
  return answer;
}

describe('the guard', () => {
  it('compares reused answers with full prefill and says what it found', async () => {
    served = await serveTiny({ routes: watched });
    await send('Ann');
    const answer = await sendAndCompare('Benjamin Beaumont');
    expect(kvshareOf(answer)).toMatchObject({ outcome: 'reused', reason: 'full' });
    const { guard } = await explain('Cleo');
    expect(guard).toMatchObject({ route: 'ward', rung: 'asked', compared: 1, trips: 0 });
    expect(guard.served.kl).toBeGreaterThan(0);
    expect(guard.served.kl).toBeLessThan(1);
    expect(await metric('kvshare_guard_rung{route="ward",rung="asked"}')).toBe(1);
    expect(served.log.lines.join()).not.toContain('germs');
    served.engine.store.checkIntegrity();
  });

  it('makes a route reuse less when answers leave the budget, and remembers it over a restart', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvshare-guard-'));
    folders.push(folder);
    const guardFile = join(folder, 'deeper', 'guard.json');
    served = await serveTiny({ routes: doomed, guardFile });
    await send('Ann');
    for (const card of ['Benjamin', 'Cleopatra', 'Dora', 'Emil']) await sendAndCompare(card);
    await until(async () => (await explain('Ida')).guard.rung === 'tightened');
    expect((await explain('Ida')).guard).toMatchObject({ trips: 1, tried: { rung: 'asked' } });
    // Of another tenant nothing has been seen, and it sees nothing of this one.
    const south = bearer('key-south');
    const { guard } = (await ask(served.url, '/kvshare/plan', chat('Ida'), south)).body;
    expect(guard).toMatchObject({ rung: 'asked', compared: 0, trips: 0, served: { samples: 0 } });
    expect(await metric('kvshare_guard_rung{route="ward",rung="tightened"}')).toBe(1);
    expect(await metric('kvshare_guard_trips_total{route="ward"}')).toBe(1);
    expect(served.log.lines.join()).toContain('left the quality budget');
    const answer = await sendAndCompare('Fritz');
    expect(kvshareOf(answer).reason).toBe('quality-guard');
    expect((await explain('Ida')).guard.tried.samples).toBe(1);
    await served.close();
    const text = await readFile(guardFile, 'utf8');
    expect(text).not.toContain('germs');
    expect(text).not.toContain('key-north');
    expect((await stat(guardFile)).mode & 0o777).toBe(0o600);
    served = await serveTiny({ routes: doomed, guardFile });
    expect((await explain('Ida')).guard).toMatchObject({ rung: 'tightened', trips: 1 });
    await served.close();
    // Other settings begin anew.
    served = await serveTiny({ routes: watched, guardFile });
    expect((await explain('Ida')).guard).toMatchObject({ rung: 'asked', trips: 0 });
  });

  it('compares nothing where the client or the operator does not want it', async () => {
    const routes = ward({ qualityBudget: { share: 0 } });
    served = await serveTiny({ routes });
    await send('Ann');
    await send('Benjamin Beaumont');
    await sleep(300);
    expect(await compared()).toBe(0);
    await served.close();
    served = await serveTiny({ routes: watched });
    await send('Ann');
    const headers = { ...north, 'x-kvshare-cache-control': 'no-store' };
    const answer = await ask(
      served.url,
      '/v1/chat/completions',
      chat('Benjamin Beaumont'),
      headers,
    );
    expect(kvshareOf(answer).outcome).toBe('reused');
    await sleep(300);
    expect(await compared()).toBe(0);
  });
});

describe('shadow mode', () => {
  it('computes in full, predicts, judges and records', async () => {
    served = await serveTiny({
      routes: ward({ shadow: true, qualityBudget: { kl: 10, top1: 0 } }),
    });
    await send('Ann');
    const answer = await sendAndCompare('Benjamin Beaumont');
    expect(kvshareOf(answer)).toMatchObject({ outcome: 'cold', reason: 'in-shadow' });
    const plan = await explain('Cleo');
    expect(plan).toMatchObject({
      outcome: 'cold',
      plan: null,
      shadowed: { outcome: 'reused', reason: 'full' },
      guard: { compared: 1 },
    });
    expect(await metric('kvshare_shadow_requests_total{route="ward",outcome="reused"}')).toBe(1);
    expect(await metric('kvshare_shadow_saved_tokens_total{route="ward"}')).toBeGreaterThan(20);
    expect(await metric('kvshare_prompt_tokens_total{source="imported"}')).toBe(0);
  });
});
