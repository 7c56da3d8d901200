// What may happen to files while nobody looks (security tests S8, R13 to R15): every damage is found before a tensor
// is built, and a disk that fails costs time, never an answer.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { bytesPerToken } from '../../../src/kv/index.ts';
import { loadBackend, type Tf } from '../../../src/runner/backend/index.ts';
import { DiskStore } from '../../../src/runner/store/disk/disk-store.ts';
import { KvStore } from '../../../src/runner/store/kv-store.ts';
import type { KvTiers } from '../../../src/runner/store/kv-store-options.ts';
import { blockOf, tinyLayout, worstError } from '../../support/kept-kv.ts';

const PER_TOKEN = bytesPerToken(tinyLayout);
const TOKENS = 40;

let tf: Tf;
let parent: string;
const problems: string[] = [];

beforeAll(async () => {
  const requested = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
  ({ tf } = await loadBackend(requested));
});
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'kvshare-disk-'));
  problems.length = 0;
});
afterEach(() => {
  chmodSync(parent, 0o700);
  for (const name of readdirSync(parent)) chmodSync(join(parent, name), 0o700);
  rmSync(parent, { recursive: true });
});

const tokensOf = (seed: number, count = TOKENS): number[] =>
  Array.from({ length: count }, (_, i) => (i * 7 + seed * 131) % 1_000);

interface Opened {
  readonly store: KvStore;
  readonly disk: DiskStore | null;
}

async function open(
  limits: KvTiers & { maxBytes?: number } = {},
  fingerprint = 'model-a',
): Promise<Opened> {
  const onProblem = (what: string): void => void problems.push(what);
  const disk = await DiskStore.open({ folder: parent, fingerprint, retryMs: 50, onProblem });
  const store = new KvStore({
    tf,
    layout: tinyLayout,
    maxBytes: 2 ** 20,
    diskBytes: 2 ** 20,
    generation: 'gen',
    disk,
    onEvict: () => undefined,
    onProblem,
    ...limits,
  });
  return { store, disk };
}

function put(store: KvStore, seed: number, scope = 'scope-a', count = TOKENS) {
  const tokens = tokensOf(seed, count);
  return store.put({
    context: { scope, owner: 'me', tokens, exactTokens: count, promptTokens: count },
    shared: [],
    makePage: () => blockOf(tf, scope, tokens, 0),
  });
}

/** Whether the context comes back, as it was. */
async function isServed(store: KvStore, segment: string, count = TOKENS): Promise<boolean> {
  const bringing = store.bring([{ segment, start: 0, end: count }]);
  await bringing.arrival;
  bringing.release();
  const entry = store.get(segment);
  if (!entry) return false;
  expect(worstError(entry)).toBe(0);
  return true;
}

const folder = (): string =>
  join(
    parent,
    readdirSync(parent).find((name) => name.startsWith('kv-'))!,
  );
const files = (ending: string): string[] =>
  readdirSync(folder())
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder(), name));

/** Stores contexts, and leaves as a process does that ends in order. */
async function leaveBehind(...seeds: number[]): Promise<void> {
  const { store } = await open();
  for (const seed of seeds) put(store, seed);
  await store.close();
}

describe('a restart', () => {
  it('offers what was stored under new names, and serves it exactly', async () => {
    const before = await open();
    const first = put(before.store, 1)!;
    const longer = [...first.tokens, ...tokensOf(2)];
    before.store.extend(first.segment, longer, () => blockOf(tf, 'scope-a', longer, TOKENS));
    put(before.store, 3);
    await before.store.close();
    expect(files('.context')).toHaveLength(2);
    expect(files('.page')).toHaveLength(3);

    const { store } = await open({}, 'model-a');
    // By when they were written, which may be at the same moment.
    const offered = store.contexts().sort((a, b) => b.tokens.length - a.tokens.length);
    expect(offered.map(({ tokens }) => tokens)).toEqual([longer, tokensOf(3)]);
    expect(offered[0]).toMatchObject({ scope: 'scope-a', owner: 'me', exactTokens: 80 });
    expect(store.bytes).toBe(0);
    for (const { segment, tokens } of offered) {
      expect(await isServed(store, segment, tokens.length)).toBe(true);
    }
    store.checkIntegrity();
    expect(store.get(offered[0]!.segment)!.views.map(({ page }) => page.isRounded)).toEqual([
      false,
      false,
    ]);
    await store.close();
  });

  it('knows nothing of another model, and removes what that one has left', async () => {
    await leaveBehind(1);
    const { store } = await open({}, 'model-b');
    expect(store.contexts()).toEqual([]);
    expect(readdirSync(parent)).toHaveLength(1);
    await store.close();
  });

  it('finishes a removal that was interrupted, and touches nothing that is not its own', async () => {
    await leaveBehind(1);
    const [name] = readdirSync(parent);
    renameSync(join(parent, name!), join(parent, `${name}.gone-${'0'.repeat(32)}`));
    mkdirSync(join(parent, 'kv-of-somebody'));
    const { store } = await open({}, 'model-b');
    const left = readdirSync(parent).filter((entry) => entry !== 'kv-of-somebody');
    expect(left).toEqual([expect.stringMatching(/^kv-[0-9a-f]{32}$/)]);
    expect(left).not.toEqual([name]);
    expect(readdirSync(parent)).toContain('kv-of-somebody');
    await store.close();
  });

  it('lets models that start together have a folder each, whatever was there before', async () => {
    for (let round = 0; round < 8; round++) {
      const models = Array.from({ length: 8 }, (_, i) => `model-${i}-${round % 2}`);
      const opened = await Promise.all(
        models.map(async (model, i) => {
          await sleep((i * round) % 5);
          return open({}, model);
        }),
      );
      for (const { store, disk } of opened) {
        put(store, 1);
        await store.settled();
        expect(disk?.isHealthy).toBe(true);
        expect(store.info.tiers!.movedBytes.toDisk).toBeGreaterThan(0);
      }
      expect(problems).toEqual([]);
      await Promise.all(opened.map(({ store }) => store.close()));
    }
    expect(readdirSync(parent)).toHaveLength(8);
  });

  it('keeps the youngest when the limit has shrunk', async () => {
    const { store: large } = await open();
    for (const seed of [1, 2, 3]) {
      put(large, seed);
      await large.settled();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await large.close();
    const { store, disk } = await open({ diskBytes: TOKENS * PER_TOKEN * 2 });
    expect(store.contexts().map(({ tokens }) => tokens)).toEqual([tokensOf(3)]);
    store.checkIntegrity();
    await disk!.settled();
    expect(files('.page')).toHaveLength(1);
    await store.close();
  });

  it('finds the folder taken while another store has it, and does without', async () => {
    const { store } = await open();
    put(store, 1);
    await store.settled();
    expect((await open()).disk).toBeNull();
    expect(problems).toEqual(['KV is not kept on disk']);
    expect(await isServed(store, store.contexts()[0]!.segment)).toBe(true);
    await store.close();
  });

  it('takes a folder over whose owner is dead', async () => {
    await leaveBehind(1);
    // The id lives, the process of then does not.
    writeFileSync(join(folder(), 'owner'), '1 1');
    const { store } = await open();
    expect(store.contexts()).toHaveLength(1);
    await store.close();
  });
});

describe('what is on disk', () => {
  it('is for this user alone, and holds no temporary files', async () => {
    await leaveBehind(1, 2);
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    for (const path of [...files('.page'), ...files('.context')]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    expect(readdirSync(folder()).filter((name) => /tmp|owner/.test(name))).toEqual([]);
  });

  it('is of use as soon as it is there: a context does not wait for the pages of others', async () => {
    const { store } = await open();
    for (let seed = 0; seed < 20; seed++) put(store, seed);
    while (files('.context').length === 0) await sleep(1);
    expect(files('.page').length).toBeLessThan(10);
    await store.settled();
    expect(files('.context')).toHaveLength(20);
    await store.close();
  });

  it('goes when its context goes', async () => {
    const { store } = await open();
    put(store, 1);
    await store.settled();
    expect(files('.page')).toHaveLength(1);
    store.clear();
    await store.settled();
    expect(readdirSync(folder())).toEqual(['owner']);
    await store.close();
  });

  it('never exceeds its limit; the oldest leaves first', async () => {
    const { store } = await open({
      diskBytes: TOKENS * PER_TOKEN * 3,
      maxBytes: TOKENS * PER_TOKEN,
    });
    const segments: string[] = [];
    for (let seed = 1; seed <= 5; seed++) {
      segments.push(put(store, seed)!.segment);
      await store.settled();
      store.checkIntegrity();
      const sizes = [...files('.page'), ...files('.context')].map((path) => statSync(path).size);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(TOKENS * PER_TOKEN * 3);
    }
    expect(segments.map((segment) => store.get(segment) !== undefined)).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    await store.close();
  });
});

describe('a damaged file', () => {
  const damages: Record<string, (path: string) => void> = {
    empty: (path) => truncateSync(path, 0),
    'cut short': (path) => truncateSync(path, statSync(path).size - 1),
    'too long': (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1)])),
    'a folder': (path) => {
      rmSync(path);
      mkdirSync(path);
    },
    'a link': (path) => {
      copyFileSync(path, join(parent, 'elsewhere'));
      rmSync(path);
      symlinkSync(join(parent, 'elsewhere'), path);
    },
  };

  it.each(Object.keys(damages))('that is %s is not served, whichever it is', async (name) => {
    for (const ending of ['.page', '.context']) {
      await leaveBehind(1);
      damages[name]!(files(ending)[0]!);
      const { store } = await open();
      const [context] = store.contexts();
      if (context) expect(await isServed(store, context.segment)).toBe(false);
      expect(store.size).toBe(0);
      expect(store.bytes).toBe(0);
      store.checkIntegrity();
      await store.close();
      for (const left of readdirSync(folder())) rmSync(join(folder(), left), { recursive: true });
      rmSync(join(parent, 'elsewhere'), { force: true });
    }
  });

  it('is found out wherever a bit is flipped', async () => {
    await leaveBehind(1);
    const names = readdirSync(folder());
    const whole = names.map((name) => [name, readFileSync(join(folder(), name))] as const);
    for (const [damaged, good] of whole) {
      // Every byte of the first 300, and some of the others.
      for (let at = 0; at < good.length; at += at < 300 ? 1 : 97) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << (at % 8);
        for (const [name, bytes] of whole) {
          writeFileSync(join(folder(), name), name === damaged ? bad : bytes, { mode: 0o600 });
        }
        const { store } = await open();
        const [context] = store.contexts();
        if (context) expect(await isServed(store, context.segment)).toBe(false);
        expect(store.size).toBe(0);
        await store.close();
      }
    }
  });

  it('is found out when two pages have changed places, or an old one comes back', async () => {
    await leaveBehind(1, 2);
    const [a, b] = files('.page');
    const [first, second] = [readFileSync(a!), readFileSync(b!)];
    writeFileSync(a!, second);
    writeFileSync(b!, first);
    const { store } = await open();
    for (const { segment } of store.contexts()) expect(await isServed(store, segment)).toBe(false);
    expect(store.info.tiers!.pages.damaged).toBe(2);
    await store.close();
  });

  it('of one scope is no page of another', async () => {
    const { store: before } = await open();
    put(before, 1, 'scope-a');
    await before.close();
    const [path] = files('.context');
    const text = readFileSync(path!).subarray(40).toString().replace('scope-a', 'scope-b');
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256').update(text).digest();
    writeFileSync(path!, Buffer.concat([Buffer.from('KVSHCTX\0'), digest, Buffer.from(text)]));
    const { store } = await open();
    const [context] = store.contexts();
    expect(context!.scope).toBe('scope-b');
    expect(await isServed(store, context!.segment)).toBe(false);
    await store.close();
  });
});

describe('a disk that fails', () => {
  it('costs nobody an answer, is said to be ill, and is used again when it works', async () => {
    const { store } = await open();
    const kept = put(store, 1)!;
    await store.settled();
    const path = folder();
    renameSync(path, `${path}-away`);
    const lost = put(store, 2)!;
    await store.settled();
    expect(store.info.tiers!.disk.isHealthy).toBe(false);
    expect(problems).toEqual(['KV could not be written to disk']);
    expect(await isServed(store, lost.segment)).toBe(true);
    expect(await isServed(store, kept.segment)).toBe(true);

    renameSync(`${path}-away`, path);
    for (let i = 0; i < 100 && files('.page').length < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await store.settled();
    expect(store.info.tiers!.disk.isHealthy).toBe(true);
    store.checkIntegrity();
    await store.close();
    expect(files('.context')).toHaveLength(2);
  });

  it('that cannot be read means that the context is gone', async () => {
    await leaveBehind(1);
    const { store } = await open();
    const [context] = store.contexts();
    rmSync(files('.page')[0]!);
    expect(await isServed(store, context!.segment)).toBe(false);
    expect(store.size).toBe(0);
    store.checkIntegrity();
    await store.close();
  });
});

it('never keeps what is no number, in memory below or on disk', async () => {
  const { store } = await open();
  const good = put(store, 1)!;
  const tokens = tokensOf(2);
  const context = { scope: 'scope-a', owner: null, exactTokens: TOKENS, promptTokens: TOKENS };
  const bad = store.put({
    context: { ...context, tokens },
    shared: [],
    makePage: () => {
      const block = blockOf(tf, 'scope-a', tokens, 0);
      const v = tf.mul(block.v, NaN);
      block.v.dispose();
      return { k: block.k, v: v as typeof block.v };
    },
  })!;
  await store.settled();
  expect(store.get(bad.segment)).toBeUndefined();
  expect(store.get(good.segment)).toBeDefined();
  expect(store.info.tiers!.pages.notFinite).toBe(1);
  expect(files('.page')).toHaveLength(1);
  store.checkIntegrity();
  await store.close();
});
