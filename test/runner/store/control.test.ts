// What an operator does to a store by name: nothing of it may break the store's own laws.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { bytesPerToken } from '../../../src/kv/index.ts';
import { loadBackend, type Tf } from '../../../src/runner/backend/index.ts';
import { controlStore } from '../../../src/runner/store/control-store.ts';
import { DiskStore } from '../../../src/runner/store/disk/disk-store.ts';
import { KvStore } from '../../../src/runner/store/kv-store.ts';
import type { KvStoreOptions } from '../../../src/runner/store/kv-store-options.ts';
import { blockOf, tinyLayout } from '../../support/kept-kv.ts';

const PER_TOKEN = bytesPerToken(tinyLayout);

let tf: Tf;
beforeAll(async () => {
  const requested = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
  ({ tf } = await loadBackend(requested));
});

function open(more: Partial<KvStoreOptions> = {}) {
  const clock = { ms: 0 };
  const evicted: string[] = [];
  const store = new KvStore({
    tf,
    layout: tinyLayout,
    maxBytes: 100 * PER_TOKEN,
    generation: 'gen',
    onEvict: (segments) => evicted.push(...segments),
    now: () => clock.ms,
    ...more,
  });
  const put = (seed: number, count: number, scope = 'scope-a'): string | null => {
    const tokens = Array.from({ length: count }, (_, i) => (i * 7 + seed * 131) % 1_000);
    const stored = store.put({
      context: { scope, owner: null, tokens, exactTokens: count, promptTokens: count },
      shared: [],
      makePage: () => blockOf(tf, scope, tokens, 0),
    });
    store.checkIntegrity();
    return stored?.segment ?? null;
  };
  return { store, control: controlStore(store), clock, evicted, put };
}

describe('pinned contexts', () => {
  it('stay while others come and go, also the part that they grow by, until their time is over', async () => {
    const { store, control, clock, evicted, put } = open();
    const first = put(1, 20)!;
    await control.pin([first], 1_000);
    const grown = [...store.get(first)!.context.tokens, 5, 6, 7];
    store.extend(first, grown, () => blockOf(tf, 'scope-a', grown, 20));
    for (let seed = 2; seed < 12; seed++) expect(put(seed, 30)).not.toBeNull();
    expect(evicted).not.toContain(first);
    expect(store.get(first)!.context.tokens).toHaveLength(23);
    clock.ms = 1_001;
    expect(await control.list()).toContainEqual({
      segment: first,
      tier: 'live',
      pinnedForMs: null,
    });
    for (let seed = 12; seed < 16; seed++) put(seed, 30);
    expect(evicted).toContain(first);
  });

  it('hold at most half of a store, and of a scope’s share in it', async () => {
    const whole = open();
    const [first, second] = [whole.put(1, 30)!, whole.put(2, 30)!];
    await whole.control.pin([first], 1_000);
    await expect(whole.control.pin([second], 1_000)).rejects.toMatchObject({ code: 'pin_refused' });
    await whole.control.pin([first], 2_000);
    await whole.control.unpin([first]);
    expect(await whole.control.pin([second], 1_000)).toEqual([second]);
    const shared = open({ scopeShare: 0.5 });
    const own = shared.put(1, 30)!;
    await expect(shared.control.pin([own], 1)).rejects.toMatchObject({ code: 'pin_refused' });
    const small = shared.put(2, 20, 'scope-b')!;
    expect(await shared.control.pin([small], 1)).toEqual([small]);
  });

  it('can be deleted, and leave no pin behind', async () => {
    const { store, control, put } = open();
    const first = put(1, 50)!;
    await control.pin([first], 1_000);
    expect(await control.remove([first])).toEqual([first]);
    store.checkIntegrity();
    expect([store.bytes, store.size]).toEqual([0, 0]);
    const next = put(2, 50)!;
    expect(await control.pin([next], 1_000)).toEqual([next]);
  });
});

it('what is deleted is gone from disk when the answer comes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvshare-control-'));
  const onProblem = (what: string): never => {
    throw new Error(what);
  };
  const disk = await DiskStore.open({ folder, fingerprint: 'model', onProblem });
  const { store, control, put } = open({ disk, diskBytes: 2 ** 20, maxBytes: 60 * PER_TOKEN });
  const files = (): number =>
    readdirSync(folder, { recursive: true }).filter((name) =>
      /\.(page|context)$/.test(String(name)),
    ).length;
  const first = put(1, 40)!;
  await store.settled();
  const second = put(2, 40)!;
  await store.settled();
  const both = files();
  expect(await control.list()).toEqual([
    { segment: first, tier: 'disk', pinnedForMs: null },
    { segment: second, tier: 'live', pinnedForMs: null },
  ]);
  await control.remove([first]);
  expect(files()).toBe(both / 2);
  await control.remove([second]);
  expect(files()).toBe(0);
  store.checkIntegrity();
  await store.close();
  rmSync(folder, { recursive: true });
});
