// Healing through real HTTP: what is asked for again and was only imported is computed exactly when nobody waits.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HotPrefixes } from '../../src/sidecar/hot-prefixes.ts';
import { ask, bearer, metricsOf, serveTiny } from '../support/served.ts';
import { wardChat } from '../support/ward-chat.ts';

let served: Awaited<ReturnType<typeof serveTiny>> | null = null;
afterEach(async () => {
  await served?.close();
  served = null;
});

const send = async (card: string, question: string, key = 'key-north') => {
  const { body } = await ask(
    served!.url,
    '/v1/chat/completions',
    wardChat(card, question),
    bearer(key),
  );
  return body.usage.prompt_tokens_details.kvshare as { outcome: string; exact_tokens: number };
};
const healed = async (): Promise<number> => {
  const text = await metricsOf(served!.url);
  return Number(/^kvshare_healed_prefixes_total (\d+)/m.exec(text)?.[1]);
};
const reuse = { mergeGap: 4, minReuse: 0.1, fallbacks: false };

describe('healing', () => {
  it('turns a beginning that was imported twice into an exact donor', async () => {
    served = await serveTiny({ reuse, random: () => 1 });
    const { engine } = served;
    const generate = engine.generate.bind(engine);
    const ids: string[] = [];
    engine.generate = (request, signal) => {
      ids.push(request.requestId);
      return generate(request, signal);
    };
    await send('Ann', 'What now');
    expect((await send('Benjamin Beaumont', 'And then')).outcome).toBe('reused');
    expect(await healed()).toBe(0);
    expect((await send('Benjamin Beaumont', 'Who knows')).outcome).toBe('reused');
    for (let i = 0; i < 200 && (await healed()) === 0; i++) await sleep(25);
    expect(await healed()).toBe(1);
    const again = await send('Benjamin Beaumont', 'Why');
    expect(again.exact_tokens).toBeGreaterThanOrEqual(64);
    // Only for those who may share it.
    expect((await send('Benjamin Beaumont', 'Why', 'key-south')).outcome).toBe('cold');
    // Healing is a request of its own.
    expect(new Set(ids).size).toBe(ids.length);
    served.engine.store.checkIntegrity();
  });

  it('can be switched off', async () => {
    served = await serveTiny({ reuse, random: () => 1, healing: false });
    await send('Ann', 'What now');
    await send('Benjamin Beaumont', 'And then');
    await send('Benjamin Beaumont', 'Who knows');
    await sleep(500);
    expect(await healed()).toBe(0);
  });
});

describe('HotPrefixes', () => {
  const tokens = (seed: number, length: number) =>
    Int32Array.from({ length }, (_, i) => (i * 31 + seed) % 1000);
  const planOf = (imports: readonly [start: number, length: number, exact: boolean][]) => ({
    ...{ version: 1, planId: '', fingerprint: '', numTokens: 400, policy: 'edit-closure' },
    imports: imports.map(([targetStart, length, exact]) => ({
      ...{ segment: 's', donorStart: 0, targetStart, length, exact },
    })),
    ...{ recompute: [], topUp: null, fullLayers: 0, decodeRefresh: 0 },
  });
  const plan = planOf([
    [0, 70, true],
    [80, 220, false],
  ]) as Parameters<HotPrefixes['observe']>[2];

  it('counts what is imported, scope by scope, up to the end of the last import', () => {
    const prefixes = new HotPrefixes();
    const prompt = tokens(1, 400);
    expect(prefixes.observe('a', prompt, plan)).toBe(0);
    expect(prefixes.observe('b', prompt, plan)).toBe(0);
    // 300 tokens, in steps of 64.
    expect(prefixes.observe('a', prompt, plan)).toBe(256);
    const other = Int32Array.from([...prompt.slice(0, 200), ...tokens(7, 200)]);
    expect(prefixes.observe('a', other, plan)).toBe(192);
    prefixes.forget('a', prompt, 256);
    expect(prefixes.observe('a', prompt, plan)).toBe(0);
  });

  it('has no use for what is exact already', () => {
    const prefixes = new HotPrefixes();
    const exact = planOf([[0, 300, true]]) as typeof plan;
    const prompt = tokens(1, 400);
    for (let i = 0; i < 3; i++) expect(prefixes.observe('a', prompt, exact)).toBe(0);
    const short = planOf([[0, 50, false]]) as typeof plan;
    for (let i = 0; i < 3; i++) expect(prefixes.observe('a', prompt, short)).toBe(0);
  });
});
