import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chooseTokens, pickCount, refreshOrder } from '../../../src/runner/engine/choose-tokens.ts';
import { topUpOf } from '../../support/extra-plans.ts';

const choose = (
  positions: number[],
  scores: number[],
  ratio: number,
  group: { window?: number; keep?: number } = {},
): number[] => [
  ...chooseTokens(
    Int32Array.from(positions),
    Float32Array.from(scores),
    topUpOf('dhd', ratio, group),
  ),
];

describe('which tokens a top-up picks', () => {
  it('rounds the share up, without being fooled by binary fractions', () => {
    expect([pickCount(0.15, 20), pickCount(0.15, 21), pickCount(0.07, 100)]).toEqual([3, 4, 7]);
    expect([pickCount(0.001, 5), pickCount(1, 5)]).toEqual([1, 5]);
  });

  it('takes the best one by one, the first of equals, in order of position', () => {
    expect(choose([3, 4, 9, 12], [1, 5, 5, 2], 0.5)).toEqual([4, 9]);
    expect(choose([3, 4, 9, 12], [7, 7, 7, 7], 0.25)).toEqual([3]);
  });

  it('takes the best of the best neighbourhoods; a gap ends a neighbourhood', () => {
    const positions = [0, 1, 2, 3, 10, 11];
    // Groups of three: 0-2 (sum 6), 3 (sum 4; the gap behind it), 10-11 (sum 9).
    const scores = [1, 2, 3, 4, 8, 1];
    expect(choose(positions, scores, 0.5, { window: 3, keep: 2 })).toEqual([2, 10, 11]);
    expect(choose(positions, scores, 1 / 3, { window: 3, keep: 1 })).toEqual([2, 10]);
    // One of each group is 2, 3, 10; the fourth comes from what is left.
    expect(choose(positions, scores, 4 / 6, { window: 3, keep: 1 })).toEqual([1, 2, 3, 10]);
  });

  it('always picks as many as the ratio says, each once', () => {
    const cases = fc.record({
      gaps: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 60 }),
      ratio: fc.double({ min: 0.01, max: 1, noNaN: true }),
      window: fc.integer({ min: 1, max: 8 }),
      keep: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(cases, ({ gaps, ratio, window, keep }) => {
        let at = 0;
        const positions = gaps.map((gap) => (at += gap));
        const picked = choose(
          positions,
          positions.map((p) => (p * 37) % 11),
          ratio,
          { window, keep: Math.min(keep, window) },
        );
        expect(picked).toHaveLength(pickCount(ratio, positions.length));
        expect(new Set(picked).size).toBe(picked.length);
        expect(picked.every((p) => positions.includes(p))).toBe(true);
        expect(picked).toEqual([...picked].sort((a, b) => a - b));
      }),
    );
  });

  it('leaves the rest for decoding, worst first', () => {
    const order = refreshOrder(
      Int32Array.of(3, 4, 9, 12),
      Float32Array.of(1, 5, 4, 2),
      new Set([4]),
    );
    expect(order).toEqual([9, 12, 3]);
  });
});
