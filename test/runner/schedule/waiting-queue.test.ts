import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WaitingQueue, type Job } from '../../../src/runner/schedule/waiting-queue.ts';
import type { Scheduler } from '../../../src/runner/schedulers.ts';

interface Arrival {
  readonly at: number;
  readonly scope: string;
  readonly work: number;
  /** What reuse saves; default nothing. */
  readonly saved?: number;
}

const jobOf = ({ scope, work, saved = 0 }: Omit<Arrival, 'at'>): Job => ({
  scope,
  work,
  tokens: work + saved,
});

/** One machine that serves whole jobs; when each one started, and how long it had waited. */
function simulate(
  scheduler: Scheduler,
  jobs: readonly Arrival[],
): { wait: number; order: number[] }[] {
  const queue = new WaitingQueue<number>(scheduler);
  const byTime = jobs.map((job, id) => ({ ...job, id })).sort((a, b) => a.at - b.at || a.id - b.id);
  let current: Job | null = null;
  const waits = new Array<number>(jobs.length).fill(NaN);
  const order: number[] = [];
  let now = 0;
  let next = 0;
  while (order.length < jobs.length) {
    const arrive = (until: number, busyUntil: number): void => {
      for (; next < byTime.length && byTime[next]!.at <= until; next++) {
        const { id, at, ...job } = byTime[next]!;
        const left = busyUntil - at;
        const running = current && left > 0 ? { ...current, work: left } : null;
        queue.add(id, jobOf(job), running);
      }
    };
    arrive(now, now);
    const id = queue.next();
    if (id === undefined) {
      now = byTime[next]!.at;
      continue;
    }
    order.push(id);
    waits[id] = now - jobs[id]!.at;
    const end = now + jobs[id]!.work;
    current = jobOf(jobs[id]!);
    arrive(end, end);
    now = end;
  }
  return waits.map((wait) => ({ wait, order }));
}

const arrivals = (scopes: number) =>
  fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 300 }),
      scope: fc.integer({ min: 1, max: scopes }).map(String),
      work: fc.integer({ min: 1, max: 100 }),
      saved: fc.integer({ min: 0, max: 200 }),
    }),
    { minLength: 1, maxLength: 40 },
  );

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe('the waiting queue', () => {
  it('serves in order of arrival under fifo', () => {
    fc.assert(
      fc.property(arrivals(3), (all) => {
        const { order } = simulate('fifo', all)[0]!;
        const byArrival = all.map((_, id) => id).sort((a, b) => all[a]!.at - all[b]!.at || a - b);
        expect(order).toEqual(byArrival);
      }),
    );
  });

  it('gives everybody the first token within twice the time of fifo, whatever comes behind and others reuse', () => {
    fc.assert(
      fc.property(arrivals(3), (all) => {
        const fifo = simulate('fifo', all);
        simulate('reuse-aware', all).forEach(({ wait }, id) => {
          const { work } = all[id]!;
          expect(wait + work).toBeLessThanOrEqual(2 * (fifo[id]!.wait + work));
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives turns, and orders the requests of a scope, whatever other scopes reuse', () => {
    const reuse = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 40,
      maxLength: 40,
    });
    fc.assert(
      fc.property(arrivals(2), reuse, reuse, (all, shares, otherShares) => {
        const serve = (shareOf: (id: number) => number): number[] => {
          const queue = new WaitingQueue<number>('reuse-aware');
          all.forEach(({ scope, work }, id) => {
            queue.add(id, { scope, work: work * shareOf(id), tokens: work }, null);
          });
          return all.map(() => queue.next()!);
        };
        const isOther = (id: number): boolean => all[id]!.scope === '2';
        const [order, changed] = [
          serve((id) => shares[id]!),
          serve((id) => (isOther(id) ? otherShares : shares)[id]!),
        ];
        expect(changed.map(isOther)).toEqual(order.map(isOther));
        const own = (ids: number[]): number[] => ids.filter((id) => !isOther(id));
        expect(own(changed)).toEqual(own(order));
      }),
    );
  });

  it('shortens the mean wait of a mixed queue', () => {
    const all: Arrival[] = Array.from({ length: 60 }, (_, i) => ({
      at: i * 10,
      scope: 'a',
      work: i % 3 === 0 ? 60 : 6,
    }));
    const waits = (scheduler: Scheduler) => simulate(scheduler, all).map(({ wait }) => wait);
    expect(mean(waits('reuse-aware'))).toBeLessThan(0.7 * mean(waits('fifo')));
  });

  it('serves a long request at last although short ones never cease to come', () => {
    const queue = new WaitingQueue<string>('reuse-aware');
    queue.add('long', jobOf({ scope: 'a', work: 1000 }), jobOf({ scope: 'a', work: 50 }));
    let served = 0;
    for (; ; served++) {
      queue.add(`short ${served}`, jobOf({ scope: 'a', work: 10 }), null);
      if (queue.next() === 'long') break;
    }
    // (1000 of its own + 50 ahead) / 10
    expect(served).toBe(105);
  });

  it('gives up a turn with each request that is removed', () => {
    const queue = new WaitingQueue<string>('reuse-aware');
    const add = (item: string, scope: string): void =>
      queue.add(item, jobOf({ scope, work: 5 }), null);
    add('a1', 'a');
    add('b1', 'b');
    add('a2', 'a');
    queue.remove('a1');
    queue.remove('nobody');
    expect([queue.next(), queue.next(), queue.next()]).toEqual(['b1', 'a2', undefined]);
    expect(queue.size).toBe(0);
  });
});
