import { describe, expect, it } from '@jest/globals';
import {
  defaultReuse,
  QualityGuard,
  readReuse,
  type ReuseSettings,
} from '../../src/routes/index.ts';
import { randomFrom } from '../../src/bench/random.ts';

const routeOf = (settings: ReuseSettings = {}, name = 'ward') => ({
  name,
  match: {},
  reuse: readReuse(settings, defaultReuse),
});
const NORTH = 'northgate';
const good = { kl: 0.002, top1: true };
const bad = { kl: 0.9, top1: false };

function feed(
  guard: QualityGuard,
  route: ReturnType<typeof routeOf>,
  samples: readonly (typeof good)[],
  which: 'served' | 'tried' = 'served',
  tenant = NORTH,
) {
  return samples.flatMap((sample) => {
    const standing = guard.standing(route, tenant);
    const rung = which === 'served' ? standing.served : standing.tried!;
    const move = guard.record(route, tenant, rung.name, sample);
    return move ? [`${move.from} > ${move.to}`] : [];
  });
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('QualityGuard', () => {
  it('serves what was asked for while answers keep to the budget', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    expect(guard.standing(route, NORTH)).toMatchObject({
      served: { name: 'asked', options: route.reuse.options },
      tried: null,
    });
    expect(feed(guard, route, times(200, good))).toEqual([]);
    expect(guard.stateOf(route, NORTH)).toMatchObject({
      rung: 'asked',
      trips: 0,
      compared: 200,
      served: { samples: 64, top1: 1 },
      tried: null,
    });
  });

  it('goes down rung by rung when answers are wrong for sure, and stops at the exact prefix', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    expect(feed(guard, route, times(40, bad))).toEqual(['asked > tightened', 'tightened > exact']);
    const { served } = guard.standing(route, NORTH);
    expect(served.options.policy).toBe('exact');
    expect(guard.stateOf(route, NORTH)).toMatchObject({
      rung: 'exact',
      trips: 2,
      tried: { samples: 0 },
    });
    // Other routes are not touched.
    expect(guard.stateOf(routeOf({}, 'other'), NORTH).rung).toBe('asked');
  });

  it('recomputes more on the tightened rung', () => {
    const guard = new QualityGuard();
    const route = routeOf({ seam: 30, closure: { max: 100 } });
    feed(guard, route, times(4, bad));
    expect(guard.standing(route, NORTH).served.options).toMatchObject({
      ...{ policy: 'edit-closure', seam: 60, closure: { min: 64, max: 200 }, strict: true },
    });
  });

  it('comes back up on clean comparisons of the rung above, after more of them each time', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    const needed: number[] = [];
    for (let round = 0; round < 6; round++) {
      feed(guard, route, times(4, bad));
      needed.push(guard.stateOf(route, NORTH).tried!.needed);
      const clean = feed(guard, route, times(needed.at(-1)! - 1, good), 'tried');
      expect(clean).toEqual([]);
      expect(feed(guard, route, [good], 'tried')).toEqual(['tightened > asked']);
    }
    expect(needed).toEqual([20, 40, 80, 160, 160, 160]);
  });

  it('does not come back on comparisons that are not clean', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(4, bad));
    expect(feed(guard, route, times(100, bad), 'tried')).toEqual([]);
    // Once they are clean the old ones are forgotten in time.
    expect(feed(guard, route, times(20, good), 'tried')).toEqual(['tightened > asked']);
  });

  it('hardly ever falls by chance in a hundred comparisons: 2 % other first tokens, a skewed KL', () => {
    let trips = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = randomFrom(seed);
      const guard = new QualityGuard();
      const samples = Array.from({ length: 100 }, () => ({
        // Exponential with a mean of half the budget.
        kl: -0.015 * Math.log(1 - random()),
        top1: random() > 0.02,
      }));
      trips += feed(guard, routeOf(), samples).length;
    }
    expect(trips).toBeLessThanOrEqual(10);
  });

  it('finds a moderate loss within a hundred comparisons', () => {
    let trips = 0;
    for (let seed = 0; seed < 100; seed++) {
      const random = randomFrom(seed);
      const guard = new QualityGuard();
      const samples = Array.from({ length: 100 }, () => ({
        kl: -0.09 * Math.log(1 - random()),
        top1: random() > 0.15,
      }));
      trips += feed(guard, routeOf(), samples).length > 0 ? 1 : 0;
    }
    expect(trips).toBeGreaterThanOrEqual(98);
  });

  it('compares more on young and on suspicious routes, and nothing where it is switched off', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    expect(guard.shareOf(route, NORTH)).toBe(0.1);
    feed(guard, route, times(20, good));
    expect(guard.shareOf(route, NORTH)).toBe(0.01);
    feed(guard, route, times(3, { kl: 0.9, top1: true }));
    expect(guard.shareOf(route, NORTH)).toBe(0.5);
    expect(guard.shareOf(routeOf({ qualityBudget: { share: 0 } }, 'off'), NORTH)).toBe(0);
    expect(guard.shareOf(routeOf({ qualityBudget: { share: 1 } }, 'all'), NORTH)).toBe(1);
  });

  it('keeps a policy on trial off until enough comparisons have met the budget', () => {
    const guard = new QualityGuard();
    const route = routeOf({ policy: 'semantic', qualityBudget: { samples: 30 } });
    expect(guard.standing(route, NORTH)).toMatchObject({
      served: { name: 'substitute', options: { policy: 'edit-closure' } },
      tried: { name: 'asked', options: { policy: 'semantic' } },
    });
    expect(feed(guard, route, times(29, good), 'tried')).toEqual([]);
    expect(feed(guard, route, [good], 'tried')).toEqual(['substitute > asked']);
    expect(feed(guard, route, times(4, bad))).toEqual(['asked > substitute']);
  });

  it('goes on after a restart where it was, unless the settings are others', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(4, bad));
    feed(guard, route, times(5, good), 'tried');
    const saved = JSON.parse(JSON.stringify(guard.save())) as ReturnType<typeof guard.save>;
    const again = new QualityGuard(saved);
    // Also before anybody asks for the route.
    expect(again.save()).toEqual(saved);
    expect(again.stateOf(route, NORTH)).toEqual(guard.stateOf(route, NORTH));
    expect(again.stateOf(route, NORTH)).toMatchObject({ rung: 'tightened', tried: { samples: 5 } });
    const other = new QualityGuard(saved);
    expect(other.stateOf(routeOf({ seam: 20 }), NORTH)).toMatchObject({
      rung: 'asked',
      compared: 0,
    });
  });

  it('ignores comparisons of a rung that no longer matters', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(8, bad));
    expect(guard.standing(route, NORTH).served.name).toBe('exact');
    expect(guard.record(route, NORTH, 'asked', bad)).toBeNull();
    expect(guard.stateOf(route, NORTH)).toMatchObject({
      served: { samples: 0 },
      tried: { samples: 0 },
    });
  });

  it('has nothing to guard on routes that import nothing', () => {
    const guard = new QualityGuard();
    const route = routeOf({ policy: 'exact' });
    expect(feed(guard, route, times(20, bad))).toEqual([]);
    expect(guard.standing(route, NORTH).tried).toBeNull();
  });

  it('keeps tenants apart: what one asks neither moves another nor shows', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(40, bad), 'served', 'odd');
    expect(guard.stateOf(route, 'odd').rung).toBe('exact');
    expect(guard.stateOf(route, NORTH)).toMatchObject({ rung: 'asked', compared: 0, trips: 0 });
    expect(guard.shareOf(route, NORTH)).toBe(0.1);
    expect(guard.statesOf(route).map(({ tenant }) => tenant)).toEqual([NORTH, 'odd']);
  });

  it('starts a new tenant where most of the others stand, once there are a few with evidence', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    for (const tenant of ['a', 'b']) feed(guard, route, times(4, bad), 'served', tenant);
    expect(guard.stateOf(route, 'third').rung).toBe('asked');
    feed(guard, route, times(4, bad), 'served', 'c');
    expect(guard.stateOf(route, 'fourth')).toMatchObject({ rung: 'tightened', trips: 0 });
    // It can come back by its own answers, and nobody who only began there counts.
    expect(feed(guard, route, times(20, good), 'tried', 'fourth')).toEqual(['tightened > asked']);
    for (const tenant of ['d', 'e']) feed(guard, route, times(20, good), 'tried', tenant);
    expect(guard.stateOf(route, 'fifth').rung).toBe('asked');
  });

  it('keeps routes of one name apart that match other requests', () => {
    const guard = new QualityGuard();
    const [chat, text] = [{ path: '/v1/chat/completions' }, { path: '/v1/completions' }];
    const first = { ...routeOf(), match: chat };
    feed(guard, first, times(4, bad));
    const second = { ...routeOf(), match: text };
    expect(guard.stateOf(second, NORTH).rung).toBe('asked');
    expect(guard.stateOf(first, NORTH).rung).toBe('tightened');
    const again = new QualityGuard(guard.save());
    expect(again.stateOf(second, NORTH).rung).toBe('asked');
    expect(again.stateOf(first, NORTH).rung).toBe('tightened');
    expect(JSON.stringify(guard.save())).not.toContain('completions');
  });

  it('forgets whoever was away longest when there are too many', () => {
    const guard = new QualityGuard([], 3);
    const route = routeOf();
    feed(guard, route, times(4, bad), 'served', 'a');
    for (const tenant of ['b', 'c']) guard.standing(route, tenant);
    expect(guard.stateOf(route, 'a').rung).toBe('tightened');
    for (const tenant of ['d', 'e']) guard.standing(route, tenant);
    expect(guard.statesOf(route).map(({ tenant }) => tenant)).toEqual(['e', 'd', 'a']);
    expect(guard.save()).toHaveLength(3);
  });

  it('takes a state of the time before tenants were told apart as where each of them begins', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(4, bad));
    const { route: name, key, rung, trips, compared, served, tried } = guard.save()[0]!;
    const whole = { route: name, key, rung, trips, compared, served, tried };
    const again = new QualityGuard([whole]);
    for (const tenant of [NORTH, 'southside']) {
      expect(again.stateOf(route, tenant)).toMatchObject({
        ...{ rung: 'tightened', trips: 1, compared: 0 },
        served: { samples: 0 },
      });
    }
    expect(new QualityGuard([whole]).stateOf(routeOf({ seam: 20 }), NORTH).rung).toBe('asked');
  });
});
