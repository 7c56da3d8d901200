import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KvShareError } from '../../src/errors.ts';
import { checkPlan, planSchema, type ReusePlan } from '../../src/protocol/index.ts';
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

const codeOf = (value: unknown, where = context): string | null => {
  try {
    checkPlan(value, where);
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
    ['plan_invalid', { ...good, topUp: { selector: 'dhd', ratio: 0, window: 1, keep: 1 } }],
    ['plan_invalid', { ...good, topUp: { selector: 'dhd', ratio: 0.2, window: 8, keep: 9 } }],
    ['plan_invalid', { ...good, fullLayers: -1 }],
    ['plan_invalid', { ...good, decodeRefresh: 65 }],
    ['plan_invalid', { ...good, driftCorrection: 0 }],
    ['plan_invalid', { ...good, driftCorrection: 1.5 }],
    ['plan_invalid', { ...good, driftCorrection: 0.4, fullLayers: 1 }],
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

  const hostile = [
    -1,
    -0,
    0.5,
    NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    2 ** 53,
    1e308,
    '1',
    null,
    [],
    {},
  ];
  const numbers: [string, (value: unknown) => unknown][] = [
    ['numTokens', (value) => ({ ...good, numTokens: value })],
    ['version', (value) => ({ ...good, version: value })],
    ['fullLayers', (value) => ({ ...good, fullLayers: value })],
    ['decodeRefresh', (value) => ({ ...good, decodeRefresh: value })],
    ['donorStart', (value) => withImport({ donorStart: value })],
    ['targetStart', (value) => withImport({ targetStart: value })],
    ['length', (value) => withImport({ length: value })],
    ['start', (value) => withRange({ start: value }, 1)],
    ['end', (value) => withRange({ end: value })],
  ];
  it.each(numbers)('refuses every hostile number as %s', (_, planWith) => {
    for (const value of [...hostile, true, undefined, 1n]) {
      expect(codeOf(planWith(value))).toMatch(/^plan_/);
    }
  });

  it('refuses missing and unknown keys at every level', () => {
    const levels: [object, (entry: object) => unknown][] = [
      [good, (entry) => entry],
      [good.imports[1]!, (entry) => ({ ...good, imports: [good.imports[0], entry] })],
      [
        good.recompute[0]!,
        (entry) => ({ ...good, recompute: [entry, ...good.recompute.slice(1)] }),
      ],
    ];
    for (const [level, planWith] of levels) {
      expect(codeOf(planWith({ ...level }))).toBeNull();
      for (const key of Object.keys(level)) {
        const { [key]: _, ...rest } = level as Record<string, unknown>;
        expect(codeOf(planWith(rest))).toBe('plan_invalid');
      }
      for (const key of ['extra', 'constructor', '__proto__']) {
        // As a parsed body would carry it: JSON.parse makes an own key even of __proto__.
        const more = JSON.parse(
          `{${JSON.stringify(key)}: 1, ${JSON.stringify(level).slice(1)}`,
        ) as object;
        expect(codeOf(planWith(more))).toBe('plan_invalid');
      }
    }
  });

  it('refuses more ranges than a prompt could need', () => {
    const ranges = Array.from({ length: 401 }, () => ({ start: 0, end: 100, reason: 'changed' }));
    const plan = { ...good, imports: [], recompute: ranges };
    expect(() => checkPlan(plan, context)).toThrow(/more ranges/);
  });

  /** How often each position of the prompt is in one of the ranges; 9 for what is not in the prompt. */
  function timesCovered(ranges: readonly { start: number; end: number }[]): number[] {
    const times = new Array<number>(SMALL).fill(0);
    for (const { start, end } of ranges) {
      for (let at = start; at < end; at++) times[at] = (times[at] ?? 9) + 1;
    }
    return times;
  }

  const ascending = (starts: number[]): boolean =>
    starts.every((start, i) => i === 0 || start > starts[i - 1]!);

  function exactIsPrefix(imports: ReusePlan['imports']): boolean {
    const exact = imports.filter((entry) => entry.exact);
    const inPlace = exact.every(({ donorStart, targetStart }) => donorStart === targetStart);
    const covered = exact.reduce((sum, { length }) => sum + length, 0);
    const last = exact.at(-1);
    return inPlace && covered === (last ? last.targetStart + last.length : 0);
  }

  /** The rules of reuse-plan.ts once more, token by token. */
  function followsTheRules({ imports, recompute }: ReusePlan): boolean {
    const ranges = imports.map((i) => ({ start: i.targetStart, end: i.targetStart + i.length }));
    const [imported, fresh] = [timesCovered(ranges), timesCovered(recompute)];
    return (
      recompute.every(({ start, end }) => end > start) &&
      ascending(ranges.map(({ start }) => start)) &&
      ascending(recompute.map(({ start }) => start)) &&
      [...imported, ...fresh].every((times) => times <= 1) &&
      exactIsPrefix(imports) &&
      imported.every((times, at) => times + fresh[at]! > 0) &&
      fresh[SMALL - 1] === 1
    );
  }

  const SMALL = 12;
  it('accepts exactly the plans that follow the rules, and never throws anything else', () => {
    const position = fc.integer({ min: 0, max: SMALL + 1 });
    const length = fc.integer({ min: 1, max: SMALL });
    // Half of the plans are valid ones of which one number was changed.
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: SMALL - 1 }), {
      minLength: 1,
      maxLength: 4,
    });
    const near = fc
      .tuple(cuts, fc.nat(9), fc.integer({ min: -2, max: 2 }), fc.boolean())
      .map(([inner, which, by, exact]) => {
        const ends = [0, ...inner.sort((a, b) => a - b), SMALL];
        const parts = ends.slice(1).map((end, i) => ({ start: ends[i]!, end }));
        const imports = parts
          .filter((_, i) => i % 2 === 0 && i < parts.length - 1)
          .map(({ start, end }, i) => ({
            segment: 's',
            donorStart: start,
            targetStart: start,
            length: end - start,
            exact: exact && i === 0,
          }));
        const recompute = parts
          .filter((_, i) => i % 2 === 1 || i === parts.length - 1)
          .map((part) => ({ ...part, reason: 'changed' }));
        const entries = [...imports, ...recompute] as unknown as Record<string, number>[];
        const entry = entries[which % entries.length]!;
        const keys = Object.keys(entry).filter((key) => typeof entry[key] === 'number');
        const key = keys[which % keys.length]!;
        entry[key] = Math.max(key === 'length' ? 1 : 0, entry[key]! + by);
        return { imports, recompute };
      });
    const far = fc.record({
      imports: fc.array(
        fc.record({
          segment: fc.constant('s'),
          donorStart: position,
          targetStart: position,
          length,
          exact: fc.boolean(),
        }),
        { maxLength: 3 },
      ),
      recompute: fc.array(
        fc.record({ start: position, end: position, reason: fc.constant('seam') }),
        { minLength: 1, maxLength: 4 },
      ),
    });
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.oneof(near, far), (lists) => {
        const plan = { ...good, numTokens: SMALL, ...lists } as ReusePlan;
        const code = codeOf(plan, { numTokens: SMALL, fingerprint: 'print' });
        expect(code ?? 'plan_').toMatch(/^plan_/);
        expect(code === null).toBe(followsTheRules(plan));
        seen[code === null ? 'accepted' : 'refused']++;
      }),
      { numRuns: 5000 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(300);
  });

  it('refuses any value that is no plan', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(codeOf(value)).toMatch(/^plan_/);
      }),
      { numRuns: 1000 },
    );
  });

  it('publishes a schema that says what it checks', () => {
    // What is new since version 1 was published is not asked of older senders.
    const known = Object.keys(planSchema.properties);
    expect(known).toEqual([...planSchema.required, 'driftCorrection']);
    expect(planSchema.properties['version']).toEqual({ const: good.version });
  });
});
