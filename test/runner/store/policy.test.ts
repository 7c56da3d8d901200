import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bytesPerToken } from '../../../src/kv/index.ts';
import { loadBackend, type Tf } from '../../../src/runner/backend/index.ts';
import { KvStore } from '../../../src/runner/store/kv-store.ts';
import type { KvTiers } from '../../../src/runner/store/kv-store-options.ts';
import { Sightings } from '../../../src/runner/store/sightings.ts';
import { blockOf, tinyLayout, worstError } from '../../support/kept-kv.ts';

const PER_TOKEN = bytesPerToken(tinyLayout);

let tf: Tf;
beforeAll(async () => {
  const requested = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
  ({ tf } = await loadBackend(requested));
});

interface Watched {
  readonly store: KvStore;
  /** Milliseconds. */
  clock: number;
  readonly evicted: string[];
}

function watched(tokens: number, tiers: KvTiers = {}): Watched {
  const evicted: string[] = [];
  const watch: Watched = {
    clock: 0,
    evicted,
    store: new KvStore({
      ...tiers,
      tf,
      layout: tinyLayout,
      maxBytes: tokens * PER_TOKEN,
      generation: 'gen',
      onEvict: (segments) => evicted.push(...segments),
      now: () => watch.clock,
    }),
  };
  return watch;
}

const tokensOf = (seed: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (i * 7 + seed * 131) % 1_000);

function put({ store }: Watched, seed: number, count: number, scope = 'scope-a'): string | null {
  const tokens = tokensOf(seed, count);
  const stored = store.put({
    context: { scope, owner: null, tokens, exactTokens: count, promptTokens: count },
    shared: [],
    makePage: () => blockOf(tf, scope, tokens, 0),
  });
  store.checkIntegrity();
  return stored?.segment ?? null;
}

describe('a limit', () => {
  it('is looked at before anything is allocated', () => {
    const watch = watched(100);
    let made = 0;
    const context = { scope: 'scope-a', owner: null, exactTokens: 101, promptTokens: 101 };
    const huge = watch.store.put({
      context: { ...context, tokens: tokensOf(1, 101) },
      shared: [],
      makePage: () => {
        made++;
        return blockOf(tf, 'scope-a', tokensOf(1, 101), 0);
      },
    });
    expect(huge).toBeNull();
    expect(made).toBe(0);
  });

  it('costs nobody an answer when there is no memory although it is not reached', () => {
    const watch = watched(100);
    put(watch, 1, 20);
    put(watch, 2, 20);
    const context = { scope: 'scope-a', owner: null, exactTokens: 10, promptTokens: 10 };
    const failing = watch.store.put({
      context: { ...context, tokens: tokensOf(3, 10) },
      shared: [],
      makePage: () => {
        throw new Error('out of memory');
      },
    });
    expect(failing).toBeNull();
    // Room is made for whoever comes next.
    expect(watch.evicted).toEqual(['gen.0']);
    watch.store.checkIntegrity();
    expect(put(watch, 4, 10)).not.toBeNull();
  });
});

describe('a scope over its share', () => {
  it('makes room among its own, the oldest first, and never among another’s', () => {
    const watch = watched(100, { scopeShare: 0.5 });
    const other = put(watch, 1, 40, 'scope-b');
    const own = [2, 3, 4].map((seed) => put(watch, seed, 20));
    expect(watch.evicted).toEqual([own[0]]);
    expect(put(watch, 5, 50)).not.toBeNull();
    expect(watch.evicted).toEqual(own);
    expect(watch.store.get(other!)).toBeDefined();
    expect(put(watch, 6, 51)).toBeNull();
  });

  it('holds however the scopes come', () => {
    const command = fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const watch = watched(100, { scopeShare: 0.3 });
        // checkIntegrity, after each: no scope is over its quota.
        commands.forEach(([scope, count], seed) => put(watch, seed, count, `scope-${scope}`));
        watch.store.clear();
      }),
      { numRuns: 30 },
    );
  });
});

describe('a pin', () => {
  const tiers = { hostBytes: 1_000 * PER_TOKEN };

  it('keeps pages live until it is released', async () => {
    const watch = watched(100, tiers);
    const first = put(watch, 1, 40)!;
    const bringing = watch.store.bring([{ segment: first, start: 0, end: 40 }]);
    expect(bringing.arrival).toBeNull();
    put(watch, 2, 40);
    put(watch, 3, 40);
    expect(worstError(watch.store.get(first)!)).toBe(0);
    expect(put(watch, 4, 70)).toBeNull();
    bringing.release();
    bringing.release();
    expect(put(watch, 5, 70)).not.toBeNull();
    await watch.store.close();
  });

  it('ends by itself', async () => {
    const watch = watched(100, tiers);
    const first = put(watch, 1, 40)!;
    watch.store.bring([{ segment: first, start: 0, end: 40 }]);
    watch.clock = 59_000;
    expect(put(watch, 2, 70)).toBeNull();
    watch.clock = 61_000;
    expect(put(watch, 3, 70)).not.toBeNull();
    await watch.store.close();
  });
});

describe('admission on second sighting', () => {
  const tiers = { admission: 'second-sighting' } as const;

  it('keeps everything while there is room, and only what was seen before when there is none', () => {
    const watch = watched(200, tiers);
    const hot = [put(watch, 1, 90), put(watch, 2, 90)];
    expect(put(watch, 3, 90)).toBeNull();
    expect(watch.store.info.tiers!.refusedContexts).toBe(1);
    expect(watch.evicted).toEqual([]);
    expect(put(watch, 3, 90)).not.toBeNull();
    expect(watch.evicted).toEqual([hot[0]]);
  });

  it('keeps the oldest when a flood of prompts comes that nobody will send again', () => {
    const watch = watched(200, tiers);
    const hot = put(watch, 1, 90)!;
    put(watch, 2, 95);
    for (let seed = 100; seed < 200; seed++) {
      const unique = tokensOf(seed, 90).map((token) => token + seed * 1_000);
      const context = { scope: 'scope-a', owner: null, exactTokens: 90, promptTokens: 90 };
      watch.store.put({
        context: { ...context, tokens: unique },
        shared: [],
        makePage: () => blockOf(tf, 'scope-a', unique, 0),
      });
    }
    expect(watch.store.get(hot)).toBeDefined();
  });
});

describe('sightings', () => {
  it('knows a text again wherever it stands, in its own scope only', () => {
    const sightings = new Sightings();
    const text = tokensOf(1, 300);
    expect(sightings.see('scope-a', text)).toBe(0);
    expect(sightings.see('scope-b', text)).toBe(0);
    expect(sightings.see('scope-a', text)).toBe(1);
    const moved = [...tokensOf(9, 50).map((token) => token + 5_000), ...text];
    expect(sightings.see('scope-a', moved)).toBeGreaterThan(0.7);
  });

  it('seldom takes one text for another, and forgets rather than grow', () => {
    const sightings = new Sightings(2 ** 14);
    let taken = 0;
    for (let seed = 0; seed < 500; seed++) {
      const text = tokensOf(0, 200).map((token) => token + seed * 1_000);
      taken += sightings.see('scope-a', text);
    }
    expect(taken / 500).toBeLessThan(0.1);
    const first = tokensOf(0, 200);
    expect(sightings.see('scope-a', first)).toBeLessThan(0.5);
  });
});
