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
const good = { kl: 0.002, top1: true };
const bad = { kl: 0.9, top1: false };

function feed(
  guard: QualityGuard,
  route: ReturnType<typeof routeOf>,
  samples: readonly (typeof good)[],
  which: 'served' | 'tried' = 'served',
) {
  return samples.flatMap((sample) => {
    const standing = guard.standing(route);
    const rung = which === 'served' ? standing.served : standing.tried!;
    const move = guard.record(route, rung.name, sample);
    return move ? [`${move.from} > ${move.to}`] : [];
  });
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('QualityGuard', () => {
  it('serves what was asked for while answers keep to the budget', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    expect(guard.standing(route)).toMatchObject({
      served: { name: 'asked', options: route.reuse.options },
      tried: null,
    });
    expect(feed(guard, route, times(200, good))).toEqual([]);
    expect(guard.stateOf(route)).toMatchObject({
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
    const { served } = guard.standing(route);
    expect(served.options.policy).toBe('exact');
    expect(guard.stateOf(route)).toMatchObject({ rung: 'exact', trips: 2, tried: { samples: 0 } });
    // Other routes are not touched.
    expect(guard.stateOf(routeOf({}, 'other')).rung).toBe('asked');
  });

  it('recomputes more on the tightened rung', () => {
    const guard = new QualityGuard();
    const route = routeOf({ seam: 30, closure: { max: 100 } });
    feed(guard, route, times(4, bad));
    expect(guard.standing(route).served.options).toMatchObject({
      ...{ policy: 'edit-closure', seam: 60, closure: { min: 64, max: 200 }, strict: true },
    });
  });

  it('comes back up on clean comparisons of the rung above, after more of them each time', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    const needed: number[] = [];
    for (let round = 0; round < 6; round++) {
      feed(guard, route, times(4, bad));
      needed.push(guard.stateOf(route).tried!.needed);
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
    expect(guard.shareOf(route)).toBe(0.1);
    feed(guard, route, times(20, good));
    expect(guard.shareOf(route)).toBe(0.01);
    feed(guard, route, times(3, { kl: 0.9, top1: true }));
    expect(guard.shareOf(route)).toBe(0.5);
    expect(guard.shareOf(routeOf({ qualityBudget: { share: 0 } }, 'off'))).toBe(0);
    expect(guard.shareOf(routeOf({ qualityBudget: { share: 1 } }, 'all'))).toBe(1);
  });

  it('keeps a policy on trial off until enough comparisons have met the budget', () => {
    const guard = new QualityGuard();
    const route = routeOf({ policy: 'semantic', qualityBudget: { samples: 30 } });
    expect(guard.standing(route)).toMatchObject({
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
    expect(again.stateOf(route)).toEqual(guard.stateOf(route));
    expect(again.stateOf(route)).toMatchObject({ rung: 'tightened', tried: { samples: 5 } });
    const other = new QualityGuard(saved);
    expect(other.stateOf(routeOf({ seam: 20 }))).toMatchObject({ rung: 'asked', compared: 0 });
  });

  it('ignores comparisons of a rung that no longer matters', () => {
    const guard = new QualityGuard();
    const route = routeOf();
    feed(guard, route, times(8, bad));
    expect(guard.standing(route).served.name).toBe('exact');
    expect(guard.record(route, 'asked', bad)).toBeNull();
    expect(guard.stateOf(route)).toMatchObject({ served: { samples: 0 }, tried: { samples: 0 } });
  });

  it('has nothing to guard on routes that import nothing', () => {
    const guard = new QualityGuard();
    const route = routeOf({ policy: 'exact' });
    expect(feed(guard, route, times(20, bad))).toEqual([]);
    expect(guard.standing(route).tried).toBeNull();
  });
});
