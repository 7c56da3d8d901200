import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DonorIndex, anonymousScope, tenantScope } from '../../src/match/index.ts';
import type { Donor } from '../../src/kv/index.ts';
import { bruteForcePrefix, bruteForceRuns, donorOf } from '../support/brute-force.ts';

const MIN_RUN = 32;
const query = (target: readonly number[], overrides: object = {}) => ({
  scope: 'scope-a',
  owner: null,
  target: Int32Array.from(target),
  ...overrides,
});
const numbers = (length: number, start: number): number[] =>
  Array.from({ length }, (_, i) => start + i);

/** Prompts made of a few shared passages and some noise, so that long runs really occur. */
const prompts = () => {
  const passage = fc.integer({ min: 0, max: 3 }).map((p) => numbers(40 + p * 5, 100 * p));
  const noise = fc.array(fc.integer({ min: 900, max: 905 }), { maxLength: 12 });
  return fc
    .array(fc.oneof(passage, noise), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.flat());
};

/** What candidates() promises: the latest donor with the longest prefix, and the runs beyond that prefix. */
function expected(donors: readonly Donor[], target: readonly number[]) {
  const tokens = Int32Array.from(target);
  const prefix = bruteForcePrefix(donors, tokens);
  const latest = donors.findLast((donor) => bruteForcePrefix([donor], tokens) === prefix);
  const runs = [...bruteForceRuns(donors, tokens, MIN_RUN)].filter((run) => {
    const [, , start, length] = run.split(':').map(Number);
    return start! + length! - Math.max(start!, prefix) >= MIN_RUN;
  });
  return { prefix, donor: prefix > 0 ? latest!.segment : undefined, runs: new Set(runs) };
}

const found = (index: DonorIndex, target: readonly number[]) => {
  const { exactPrefix, runs } = index.candidates(query(target), MIN_RUN);
  const names = runs.map((r) => `${r.donor.segment}:${r.donorStart}:${r.targetStart}:${r.length}`);
  expect(new Set(names).size).toBe(names.length);
  return {
    prefix: exactPrefix?.length ?? 0,
    donor: exactPrefix?.donor.segment,
    runs: new Set(names),
  };
};

const donorsOf = (all: readonly number[][]): Donor[] =>
  all.map((tokens, i) =>
    donorOf(`s.${i}`, tokens, { exactTokens: Math.max(1, tokens.length - (i % 3) * 7) }),
  );

describe('DonorIndex against brute force', () => {
  it('finds the longest exact prefix of the latest donor and every maximal run beyond it', () => {
    let runsSeen = 0;
    fc.assert(
      fc.property(fc.array(prompts(), { minLength: 1, maxLength: 5 }), prompts(), (all, target) => {
        const index = new DonorIndex();
        const donors = donorsOf(all);
        for (const donor of donors) index.add(donor);
        const result = found(index, target);
        expect(result).toEqual(expected(donors, target));
        runsSeen += result.runs.size;
      }),
      { numRuns: 300 },
    );
    expect(runsSeen).toBeGreaterThan(100);
  });

  it('finds every run, of some donor, however many donors share popular text', () => {
    // Of text that dozens of donors share not every copy is compared: each run is then found in another donor.
    const popular = numbers(90, 1_000);
    const rare = fc.integer({ min: 0, max: 5 }).map((n) => numbers(MIN_RUN + n, 5_000 + 100 * n));
    const cut = fc
      .record({ from: fc.integer({ min: 0, max: 20 }), length: fc.integer({ min: 20, max: 90 }) })
      .map(({ from, length }) => popular.slice(from, from + length));
    const noise = fc.array(fc.integer({ min: 90_000, max: 99_999 }), { maxLength: 10 });
    const text = fc
      .array(fc.oneof({ weight: 3, arbitrary: cut }, rare, noise), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.flat());
    let [popularCases, runsSeen] = [0, 0];
    fc.assert(
      fc.property(fc.array(text, { minLength: 20, maxLength: 50 }), text, (all, target) => {
        const index = new DonorIndex();
        const donors = all.map((tokens, i) => donorOf(`s.${i}`, tokens));
        for (const donor of donors) index.add(donor);
        const { exactPrefix, runs } = index.candidates(query(target), MIN_RUN);
        const from = exactPrefix?.length ?? 0;
        const wanted = [...bruteForceRuns(donors, Int32Array.from(target), MIN_RUN)];
        if (runs.length < wanted.length) popularCases++;
        for (const run of wanted) {
          const [, , start, length] = run.split(':').map(Number) as [
            number,
            number,
            number,
            number,
          ];
          if (start + length - Math.max(start, from) < MIN_RUN) continue;
          runsSeen++;
          const isServed = runs.some(
            (one) => one.targetStart <= start && one.targetStart + one.length >= start + length,
          );
          if (!isServed) throw new Error(`${run} is in no run that was found`);
        }
      }),
      { numRuns: 150 },
    );
    expect(popularCases).toBeGreaterThan(20);
    expect(runsSeen).toBeGreaterThan(500);
  });

  it('after any removals finds what an index of the donors that are left would find', () => {
    fc.assert(
      fc.property(
        fc.array(prompts(), { minLength: 2, maxLength: 6 }),
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        prompts(),
        (all, gone, target) => {
          const [index, fresh] = [new DonorIndex(), new DonorIndex()];
          const donors = donorsOf(all);
          for (const donor of donors) index.add(donor);
          const left = donors.filter((_, i) => !gone[i]);
          donors.forEach((donor, i) => gone[i] && index.remove(donor.segment));
          for (const donor of left) fresh.add(donor);
          expect(found(index, target)).toEqual(expected(left, target));
          expect(index.stats()).toEqual(fresh.stats());
        },
      ),
      { numRuns: 200 },
    );
  });

  it('forgets a removed donor without a trace', () => {
    const index = new DonorIndex();
    const tokens = numbers(100, 0);
    index.add(donorOf('s.1', tokens, { owner: 'o' }));
    index.add(donorOf('s.2', tokens));
    expect(index.remove('s.1')).toBe(true);
    expect(index.remove('s.1')).toBe(false);
    expect(
      index.candidates(query(tokens, { owner: 'o' }), MIN_RUN).exactPrefix!.donor.segment,
    ).toBe('s.2');
    index.remove('s.2');
    expect(index.stats()).toEqual({ donors: 0, scopes: 0, tokens: 0, entries: 0 });
    expect(index.candidates(query(tokens, { owner: 'o' }), MIN_RUN)).toEqual({
      exactPrefix: null,
      continuation: null,
      approximatePrefix: null,
      runs: [],
      nominated: [],
      passages: [],
      similarity: new Map(),
    });
  });

  it('replaces a segment that is announced again with more tokens', () => {
    const index = new DonorIndex();
    index.add(donorOf('s.1', numbers(50, 0)));
    index.add(donorOf('s.1', numbers(80, 0)));
    expect(index.size).toBe(1);
    expect(index.candidates(query(numbers(90, 0)), MIN_RUN).exactPrefix!.length).toBe(80);
  });

  it('never shows a donor to another scope', () => {
    const index = new DonorIndex();
    const tokens = numbers(200, 0);
    index.add(donorOf('s.1', tokens, { scope: tenantScope('a', null), owner: 'o' }));
    const other = index.candidates(
      query(tokens, { scope: tenantScope('b', null), owner: 'o' }),
      MIN_RUN,
    );
    expect(other).toMatchObject({ exactPrefix: null, continuation: null, runs: [] });
    // Positive control.
    const scope = tenantScope('a', null);
    const own = index.candidates(query([...tokens, 7], { scope, owner: 'o' }), MIN_RUN);
    expect(own).toMatchObject({ exactPrefix: { length: 200 }, continuation: { length: 200 } });
    expect(index.candidates(query([7, ...tokens], { scope }), MIN_RUN).runs).toHaveLength(1);
  });

  it('goes on from a prompt that was put together by the same settings, whoever asked it', () => {
    const index = new DonorIndex();
    const tokens = numbers(60, 0);
    const made = { exactTokens: 10, promptTokens: 50, owner: 'o' };
    index.add(donorOf('s.1', tokens, { ...made, recipe: 'careful' }));
    index.add(donorOf('s.2', tokens, { ...made, recipe: 'lax' }));
    index.add(donorOf('s.3', tokens, made));
    const found = (recipe: string | null, more: Parameters<typeof query>[1] = {}) => {
      const asked = query([...tokens, 9], { owner: 'p', recipe, ...more });
      const { approximatePrefix } = index.candidates(asked, MIN_RUN);
      return approximatePrefix && [approximatePrefix.donor.segment, approximatePrefix.length];
    };
    // Of its prompt only: what was answered may have been drawn by chance.
    expect(found('careful')).toEqual(['s.1', 50]);
    expect(found('lax')).toEqual(['s.2', 50]);
    expect([found('other'), found(null)]).toEqual([null, null]);
    expect(found('careful', { scope: tenantScope('b', null) })).toBeNull();
    expect(found('careful', { since: 1 })).toBeNull();
    for (const segment of ['s.1', 's.2', 's.3']) index.remove(segment);
    expect(found('careful')).toBeNull();
    expect(index.stats().entries).toBe(0);
  });

  it('continues only the same owner’s earlier prompt, and only when it is extended', () => {
    const index = new DonorIndex();
    const tokens = numbers(60, 0);
    index.add(donorOf('s.1', [...tokens, 7, 8], { owner: 'o', exactTokens: 10, promptTokens: 60 }));
    const longer = [...tokens, 7, 9, 9];
    expect(index.candidates(query(longer, { owner: 'o' }), MIN_RUN).continuation!.length).toBe(61);
    expect(index.candidates(query(longer, { owner: 'p' }), MIN_RUN).continuation).toBeNull();
    expect(index.candidates(query(longer), MIN_RUN).continuation).toBeNull();
    expect(index.candidates(query(tokens, { owner: 'o' }), MIN_RUN).continuation).toBeNull();
    const edited = [...tokens.slice(0, 30), 5, ...tokens.slice(31), 7];
    expect(index.candidates(query(edited, { owner: 'o' }), MIN_RUN).continuation).toBeNull();
  });

  it('names the latest of equal donors first', () => {
    const index = new DonorIndex();
    const text = numbers(100, 50);
    for (const name of ['old', 'middle', 'new']) index.add(donorOf(name, [1, 2, 3, ...text]));
    index.add(donorOf('old', [1, 2, 3, ...text]));
    const { runs, exactPrefix } = index.candidates(query([1, 9, ...text]), MIN_RUN);
    expect(exactPrefix!.donor.segment).toBe('old');
    expect(runs.map(({ donor }) => donor.segment)).toEqual(['old', 'new', 'middle']);
  });

  describe('with 1,000 donors that share one popular passage', () => {
    const popular = numbers(400, 10_000);
    const index = new DonorIndex();
    const own = [...numbers(200, 5_000), ...popular];
    index.add(donorOf('own', own));
    for (let i = 0; i < 1000; i++) {
      const [front, back] = [numbers(200, 20_000 + i * 400), numbers(200, 20_200 + i * 400)];
      index.add(donorOf(`s.${i}`, [...front, ...popular, ...back]));
    }

    it('compares a bounded number of copies and keeps a bounded number of entries', () => {
      const target = [1, 2, 3, ...popular, ...numbers(1600, 5_000_000)];
      const { runs } = index.candidates(query(target), MIN_RUN);
      expect(runs.length).toBeGreaterThan(0);
      expect(runs.length).toBeLessThanOrEqual(16);
      const { tokens, entries } = index.stats();
      expect(entries / tokens).toBeLessThan(0.2);
    });

    it('still finds the copy of the donor that serves the front of the target', () => {
      // An edit in the front; the passage behind it has 1,000 newer copies.
      const target = [...own.slice(0, 150), 7, ...own.slice(151)];
      const { exactPrefix, runs } = index.candidates(query(target), MIN_RUN);
      expect(exactPrefix).toMatchObject({ length: 150, donor: { segment: 'own' } });
      expect(runs).toContainEqual(
        expect.objectContaining({ donorStart: 151, targetStart: 151, length: 449 }),
      );
      const elsewhere = [...own.slice(0, 150), ...numbers(40, 9_000), ...popular];
      const moved = index.candidates(query(elsewhere), MIN_RUN).runs;
      expect(moved.map(({ donor }) => donor.segment)).toContain('own');
    });

    it('answers a 2,000-token prompt within the time for planning', () => {
      const times = Array.from({ length: 25 }, (_, i) => {
        const target = Array.from({ length: 5 }, () => popular).flat();
        const start = performance.now();
        index.candidates(query([i, ...target]), MIN_RUN);
        return performance.now() - start;
      }).sort((a, b) => a - b);
      // A few milliseconds; the bound only tells linear from quadratic on a busy machine.
      expect(times[12]).toBeLessThan(200);
    });
  });

  it.each([1, 3, 16, 40])('stays linear for a text that repeats every %i tokens', (period) => {
    const index = new DonorIndex();
    const repeated = (length: number): number[] =>
      Array.from({ length }, (_, i) => 500 + (i % period));
    for (let i = 0; i < 10; i++)
      index.add(donorOf(`s.${i}`, [...numbers(5, i), ...repeated(4000)]));
    const target = [900, ...repeated(8000)];
    const { runs } = index.candidates(query(target), MIN_RUN);
    expect(runs.length).toBeGreaterThan(0);
    // Every run was compared token by token: together a few times the target, not times its repetitions.
    const compared = runs.reduce((sum, run) => sum + run.length, 0);
    expect(compared / target.length).toBeLessThan(20);
  });
});

describe('scopes', () => {
  it('are length-framed: parts cannot be shifted into each other', () => {
    const all = [
      tenantScope('org_1', '2345'),
      tenantScope('org_12345', ''),
      tenantScope('org_12345', null),
      tenantScope('org_1', null),
      anonymousScope('org_1'),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(tenantScope('org_1', '2345')).toBe(all[0]);
  });

  it('stay what they are: KV and deletions on disk are found by them', () => {
    // SHA-256 of "6:tenant;9:northgate;" and of "6:tenant;9:northgate;1:s;".
    expect(tenantScope('northgate', null)).toBe(
      'e03b73e477bd91256a1a9cc3fcc5e39cdb22d0670c615533cb4493a785f96a19',
    );
    expect(tenantScope('northgate', 's')).toBe(
      '4830575515f7700a9eaf02d2e6bf06f3a5abe0af152071f95a8441a8ba09dd94',
    );
  });
});
