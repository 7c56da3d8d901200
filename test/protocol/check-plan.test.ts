import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KvShareError } from '../../src/errors.ts';
import { checkPlan, planSchema } from '../../src/protocol/index.ts';
import { planOf } from '../support/plans.ts';

const context = { numTokens: 100, fingerprint: 'print' };
const good = planOf(
  100,
  [
    { segment: 'g.1', donorStart: 0, targetStart: 0, length: 20, exact: true },
    { segment: 'g.1', donorStart: 30, targetStart: 40, length: 50, exact: false },
  ],
  [{ start: 40, end: 56 }],
  'print',
);

const codeOf = (value: unknown): string | null => {
  try {
    checkPlan(value, context);
    return null;
  } catch (error) {
    return error instanceof KvShareError ? error.code : `not ours: ${String(error)}`;
  }
};

const withImport = (change: object, at = 1) => ({
  ...good,
  imports: good.imports.map((entry, i) => (i === at ? { ...entry, ...change } : entry)),
});
const withRange = (change: object, at = 0) => ({
  ...good,
  recompute: good.recompute.map((range, i) => (i === at ? { ...range, ...change } : range)),
});

describe('checkPlan', () => {
  it('accepts a plan that follows the rules, and one with nothing imported', () => {
    expect(checkPlan(good, context)).toBe(good);
    expect(codeOf(planOf(100, [], [], 'print'))).toBeNull();
  });

  it.each<[string, unknown]>([
    ['plan_invalid', null],
    ['plan_invalid', []],
    ['plan_invalid', 'plan'],
    ['plan_invalid', {}],
    ['plan_version_unsupported', { ...good, version: 2 }],
    ['plan_invalid', { ...good, version: '1' }],
    ['plan_fingerprint_mismatch', { ...good, fingerprint: 'other' }],
    ['plan_out_of_bounds', { ...good, numTokens: 101 }],
    ['plan_invalid', { ...good, policy: 'anything' }],
    ['plan_invalid', { ...good, extra: 1 }],
    ['plan_invalid', { ...good, topUp: { ratio: 1 } }],
    ['plan_invalid', { ...good, fullLayers: 2 }],
    ['plan_invalid', { ...good, recompute: [] }],
    ['plan_invalid', withImport({ donorStart: -1 })],
    ['plan_invalid', withImport({ donorStart: 1.5 })],
    ['plan_invalid', withImport({ donorStart: NaN })],
    ['plan_invalid', withImport({ donorStart: -0 })],
    ['plan_invalid', withImport({ donorStart: 2 ** 31 })],
    ['plan_invalid', withImport({ donorStart: 2 ** 53 })],
    ['plan_invalid', withImport({ length: 0 })],
    ['plan_out_of_bounds', withImport({ length: 61 })],
    ['plan_invalid', withImport({ targetStart: 10 })],
    ['plan_invalid', withImport({ segment: '../x' })],
    ['plan_invalid', withImport({ segment: 7 })],
    ['plan_invalid', withImport({ exact: true })],
    ['plan_invalid', withImport({ exact: 'yes' })],
    ['plan_invalid', withImport({ donorStart: 5 }, 0)],
    ['plan_invalid', withRange({ start: 30, end: 20 })],
    ['plan_invalid', withRange({ end: 99 })],
    ['plan_invalid', withRange({ start: 22 })],
    ['plan_invalid', withRange({ reason: 'because' })],
    ['plan_invalid', { ...good, recompute: good.recompute.slice(0, -1) }],
    ['plan_out_of_bounds', withRange({ end: 101 }, good.recompute.length - 1)],
  ])('refuses with %s (case %#)', (code, plan) => {
    expect(codeOf(plan)).toBe(code);
  });

  it('refuses every mutation that breaks a rule and never throws anything else', () => {
    const hostile = fc.oneof(
      fc.constantFrom(-1, -0, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53, '1', null, true, [], {}),
      fc.integer({ min: -5, max: 200 }),
    );
    const paths = fc.oneof(
      fc.tuple(
        fc.constant('imports'),
        fc.nat(1),
        fc.constantFrom('donorStart', 'targetStart', 'length', 'exact', 'segment'),
      ),
      fc.tuple(fc.constant('recompute'), fc.nat(2), fc.constantFrom('start', 'end', 'reason')),
    );
    let refused = 0;
    fc.assert(
      fc.property(paths, hostile, ([list, at, key], value) => {
        const plan = structuredClone(good) as unknown as Record<string, Record<string, unknown>[]>;
        const entry = plan[list]?.[at];
        if (!entry) return;
        entry[key] = value;
        const code = codeOf(plan);
        if (code !== null) refused++;
        expect(code === null || code.startsWith('plan_')).toBe(true);
        // What is accepted must still partition the prompt.
        if (code === null) {
          const { imports, recompute } = plan as unknown as typeof good;
          const covered = new Set<number>();
          for (const i of imports)
            for (let p = 0; p < i.length; p++) covered.add(i.targetStart + p);
          for (const r of recompute) for (let p = r.start; p < r.end; p++) covered.add(p);
          expect(covered.size).toBe(100);
          expect(recompute.at(-1)!.end).toBe(100);
        }
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(1000);
  });

  it('publishes a schema that says what it checks', () => {
    expect(planSchema.required).toEqual(Object.keys(planSchema.properties));
  });
});
