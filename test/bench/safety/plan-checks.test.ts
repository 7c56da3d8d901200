import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leakingPlan, unequalSlots } from '../../../src/bench/safety/plan-checks.ts';
import { checkPlan } from '../../../src/protocol/index.ts';
import { planOf } from '../../support/plans.ts';

const ids = (...tokens: number[]): Int32Array => Int32Array.from(tokens);

describe('unequal slots', () => {
  const donor = ids(1, 2, 3, 4, 5, 6);
  const target = ids(1, 2, 9, 9, 5, 6, 7);
  const entry = { segment: 's', donorStart: 0, targetStart: 0, length: 6, exact: false };

  it('are those that keep the KV of another token', () => {
    const count = (plan: Parameters<typeof unequalSlots>[0]): number =>
      unequalSlots(plan, target, () => donor);
    expect(count(null)).toBe(0);
    expect(count(planOf(7, [entry], [], 'f'))).toBe(2);
    expect(count(planOf(7, [entry], [{ start: 3, end: 4 }], 'f'))).toBe(1);
    expect(count(planOf(7, [entry], [{ start: 2, end: 4 }], 'f'))).toBe(0);
    const moved = { ...entry, donorStart: 4, targetStart: 3, length: 2 };
    expect(count(planOf(7, [moved], [], 'f'))).toBe(2);
    expect(count(planOf(7, [{ ...moved, targetStart: 4 }], [], 'f'))).toBe(0);
  });
});

describe('the plan of a broken planner', () => {
  it('takes the changed tokens over, to the question', () => {
    const donor = ids(1, 2, 30, 31, 32, 5, 6, 7, 8);
    const target = ids(1, 2, 40, 41, 5, 6, 7, 8);
    const plan = leakingPlan({
      ...{ donor: { segment: 's', tokens: donor }, target, suffixStart: 6, fingerprint: 'f' },
    });
    expect(plan.imports).toEqual([
      { segment: 's', donorStart: 0, targetStart: 0, length: 2, exact: true },
      { segment: 's', donorStart: 3, targetStart: 2, length: 4, exact: false },
    ]);
    expect(plan.recompute).toEqual([{ start: 6, end: 8, reason: 'suffix' }]);
    expect(unequalSlots(plan, target, () => donor)).toBe(2);
  });

  it('is one that a runner takes, whatever the texts', () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(tokens, tokens, fc.nat(20), (a, b, suffixStart) => {
        const [donor, target] = [ids(...a), ids(...b)];
        const plan = leakingPlan({
          ...{ donor: { segment: 's', tokens: donor }, target, suffixStart, fingerprint: 'f' },
        });
        expect(checkPlan(plan, { numTokens: target.length, fingerprint: 'f' })).toEqual(plan);
        for (const { donorStart, length } of plan.imports) {
          expect(donorStart + length).toBeLessThanOrEqual(donor.length);
        }
      }),
    );
  });
});
