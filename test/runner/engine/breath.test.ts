// KV moves between tiers while others compute without a pause: to disk, so that little is lost by a crash, and back.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskStore } from '../../../src/runner/store/disk/disk-store.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';

const never = new AbortController().signal;
const PER_TOKEN = 3 * 2 * 2 * 8 * 4;
const STEP_MS = 100;
const tokensOf = (seed: number): number[] =>
  Array.from({ length: 30 }, (_, i) => (i * 7 + seed * 11) % TINY_VOCABULARY);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-breath-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('writes a context, and brings one back, within a few steps of somebody else', async () => {
  const onProblem = (what: string, error: unknown): never => {
    throw new Error(what, { cause: error });
  };
  const disk = await DiskStore.open({ folder, fingerprint: FINGERPRINT, onProblem });
  const tiers = { diskBytes: 2 ** 20 };
  const { engine, model } = await tinyEngine({ maxKvBytes: 200 * PER_TOKEN, disk, tiers });
  const ask = (seed: number) => collect(engine.generate(requestOf(tokensOf(seed)), never));
  const { segment } = (await ask(1)).stored!;
  for (const seed of [2, 3, 4, 5, 6]) await ask(seed);
  await engine.store.settled();
  expect(engine.store.pagesOf(segment)!.map(({ live }) => live)).toEqual([null]);

  // A step of a large model, in which nothing else happens.
  const decode = model.decode.bind(model);
  let steps = 0;
  model.decode = (input) => {
    steps++;
    for (const end = performance.now() + STEP_MS; performance.now() < end;);
    return decode(input);
  };
  const abort = new AbortController();
  const long = requestOf([1, 2, 3], { sampling: { maxTokens: 90 }, store: false });
  const running = collect(engine.generate(long, abort.signal));
  while (steps < 3) await sleep(1);

  const written = engine.store.info.tiers!.movedBytes.toDisk;
  let before = steps;
  await ask(7);
  while (engine.store.info.tiers!.movedBytes.toDisk === written) await sleep(1);
  expect(steps - before).toBeLessThan(8);

  before = steps;
  const target = [...tokensOf(1).slice(0, 29), 1, 2, 3];
  const entry = { segment, donorStart: 0, targetStart: 0, length: 29, exact: true };
  const plan = planOf(target.length, [entry], [], FINGERPRINT);
  const { receipt } = await collect(engine.generate(requestOf(target, { plan }), never));
  expect(receipt).toMatchObject({ exactTokens: 29, degraded: null });
  expect(steps - before).toBeLessThan(6);
  abort.abort();
  await running;
  await engine.close();
}, 60_000);
