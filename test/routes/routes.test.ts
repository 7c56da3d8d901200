import { describe, expect, it } from '@jest/globals';
import {
  BreakEven,
  defaultReuse,
  readReuse,
  RouteTable,
  type RouteFacts,
  type RouteMatch,
} from '../../src/routes/index.ts';

const facts = (overrides: Partial<RouteFacts> = {}): RouteFacts => ({
  path: '/v1/chat/completions',
  model: 'tutor-small',
  tenant: 'northgate',
  key: 'secret',
  header: (name) => (name === 'x-app' ? 'ward' : undefined),
  ...overrides,
});
const nameFor = (match: RouteMatch, given = facts()): string =>
  new RouteTable({
    reuse: defaultReuse,
    routes: [{ name: 'mine', match, reuse: defaultReuse }],
  }).find(given).name;

describe('RouteTable', () => {
  it.each<[string, RouteMatch, boolean]>([
    ['a path', { path: '/v1/chat/completions' }, true],
    ['a path in another case', { path: '/V1/Chat/*' }, true],
    ['a model in another case', { model: 'Tutor-*' }, false],
    ['another path', { path: '/v1/completions' }, false],
    ['a model with a star', { model: 'tutor-*' }, true],
    ['a star that would have to match the front', { model: 'small*' }, false],
    ['several stars', { model: 't*r-*all' }, true],
    ['stars beside each other', { model: '**small*' }, true],
    ['nothing but a star', { model: '*' }, true],
    ['parts in another order', { model: '*small*tutor*' }, false],
    ['a front and an end that overlap', { model: 'tutor-sm*small' }, false],
    ['a part that would have to be in the end', { model: '*all*all' }, false],
    ['a dot that is no pattern', { model: 'tutor.small' }, false],
    ['a header', { header: { 'x-app': 'ward' } }, true],
    ['a header that is absent', { header: { 'x-other': '*' } }, false],
    ['a tenant', { tenant: 'northgate' }, true],
    ['a key', { key: 'secret' }, true],
    ['another key', { key: 'secret2' }, false],
    ['all of two conditions', { path: '/v1/*', tenant: 'northgate' }, true],
    ['one of two conditions', { path: '/v1/*', tenant: 'southside' }, false],
  ])('matches %s', (_, match, expected) => {
    expect(nameFor(match)).toBe(expected ? 'mine' : 'default');
  });

  it('takes no longer for a value that is made to be hard', () => {
    const header = { 'x-app': `${'*ab'.repeat(8)}*c` };
    const hostile = facts({ header: () => 'ab'.repeat(8_000) });
    const start = performance.now();
    expect(nameFor({ header }, hostile)).toBe('default');
    expect(performance.now() - start).toBeLessThan(50);
  });

  it('matches no anonymous request by tenant or key', () => {
    const anonymous = facts({ tenant: null, key: null });
    expect(nameFor({ tenant: '*' }, anonymous)).toBe('default');
    expect(nameFor({ key: 'secret' }, anonymous)).toBe('default');
  });

  it('takes the first route that fits, and the new ones after a change', () => {
    const table = new RouteTable({
      reuse: defaultReuse,
      routes: ['first', 'second'].map((name) => ({
        name,
        match: { path: '/v1/*' },
        reuse: defaultReuse,
      })),
    });
    expect(table.find(facts()).name).toBe('first');
    table.replace({ reuse: readReuse({ policy: 'exact' }, defaultReuse), routes: [] });
    expect(table.find(facts()).reuse.options.policy).toBe('exact');
  });
});

describe('BreakEven', () => {
  const ward = { route: 'ward', tenant: 'northgate' };
  const feed = (meter: BreakEven, savedMs: number, count: number, promptTokens = 800): void => {
    for (let i = 0; i < count; i++) meter.record(ward, { promptTokens, savedMs });
  };
  const tries = (meter: BreakEven, count: number, promptTokens = 800): number =>
    Array.from({ length: count }, () => meter.mayTry(ward, promptTokens)).filter(Boolean).length;

  it('stops where reuse loses, for this tenant, route and length only, and probes now and then', () => {
    const meter = new BreakEven();
    feed(meter, -5, 7);
    expect(tries(meter, 40)).toBe(40);
    feed(meter, -5, 1);
    expect(tries(meter, 40)).toBe(2);
    expect(tries(meter, 40, 3000)).toBe(40);
    for (const other of [{ route: 'school' }, { tenant: 'southside' }, { tenant: null }]) {
      expect(meter.mayTry({ ...ward, ...other }, 800)).toBe(true);
      expect(meter.stateOf({ ...ward, ...other }, 800)).toBeNull();
    }
    const learned = { fromTokens: 512, samples: 8, medianSavedMs: -5, paused: true };
    expect(meter.stateOf(ward, 800)).toEqual(learned);
  });

  it('is not moved by a few slow answers', () => {
    const meter = new BreakEven();
    feed(meter, 40, 20);
    feed(meter, -5000, 9);
    expect(meter.stateOf(ward, 800)!.paused).toBe(false);
  });

  it('comes back when probes save time again', () => {
    const meter = new BreakEven();
    feed(meter, -5, 32);
    expect(meter.stateOf(ward, 800)!.paused).toBe(true);
    feed(meter, 40, 17);
    expect(meter.stateOf(ward, 800)!.paused).toBe(false);
    expect(tries(meter, 5)).toBe(5);
  });
});
