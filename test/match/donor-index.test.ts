import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DonorIndex, anonymousScope, tenantScope } from '../../src/match/index.ts';
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

describe('DonorIndex against brute force', () => {
  it('finds the longest exact prefix and every maximal run', () => {
    let runsSeen = 0;
    fc.assert(
      fc.property(fc.array(prompts(), { minLength: 1, maxLength: 5 }), prompts(), (all, target) => {
        const index = new DonorIndex();
        const donors = all.map((tokens, i) =>
          donorOf(`s.${i}`, tokens, { exactTokens: Math.max(1, tokens.length - (i % 3) * 7) }),
        );
        for (const donor of donors) index.add(donor);
        const found = index.candidates(query(target), MIN_RUN);
        expect(found.exactPrefix?.length ?? 0).toBe(
          bruteForcePrefix(donors, Int32Array.from(target)),
        );
        const runs = found.runs.map(
          (r) => `${r.donor.segment}:${r.donorStart}:${r.targetStart}:${r.length}`,
        );
        expect(new Set(runs)).toEqual(bruteForceRuns(donors, Int32Array.from(target), MIN_RUN));
        expect(new Set(runs).size).toBe(runs.length);
        runsSeen += runs.length;
      }),
      { numRuns: 300 },
    );
    expect(runsSeen).toBeGreaterThan(100);
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
      runs: [],
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
    expect(other).toEqual({ exactPrefix: null, continuation: null, runs: [] });
    // Positive control.
    const own = index.candidates(query(tokens, { scope: tenantScope('a', null) }), MIN_RUN);
    expect(own.runs).toHaveLength(1);
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

  it('stays fast and small with 1,000 donors that share one popular passage', () => {
    const index = new DonorIndex();
    const popular = numbers(400, 10_000);
    for (let i = 0; i < 1000; i++) {
      index.add(
        donorOf(`s.${i}`, [
          ...numbers(200, 20_000 + i * 400),
          ...popular,
          ...numbers(200, 20_200 + i * 400),
        ]),
      );
    }
    const target = [1, 2, 3, ...popular, ...numbers(1600, 5)];
    const { runs } = index.candidates(query(target), MIN_RUN);
    expect(runs.length).toBeGreaterThan(0);
    // The number of comparisons is bounded by the scan limit, not by the number of donors.
    expect(runs.length).toBeLessThanOrEqual(16);
    const { tokens, entries } = index.stats();
    expect(entries / tokens).toBeLessThan(0.2);
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
});
