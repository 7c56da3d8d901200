// Random prompts made of two donors' pieces behind an exact prefix, with plans that ask for more than ranges.
import fc from 'fast-check';
import type { PlanImport, RecomputeReason, ReusePlan, TopUp } from '../../src/protocol/index.ts';
import { planOf } from './plans.ts';
import { FINGERPRINT, TINY_VOCABULARY } from './tiny-engine.ts';

export const tokensOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i % 5) * seed) % TINY_VOCABULARY);

export const topUpOf = (
  selector: TopUp['selector'],
  ratio: number,
  group: Partial<TopUp> = {},
): TopUp => ({ selector, ratio, window: 1, keep: 1, ...group });

const piece = fc.record({
  gap: fc.integer({ min: 0, max: 4 }),
  donor: fc.integer({ min: 0, max: 1 }),
  donorStart: fc.integer({ min: 0, max: 40 }),
  length: fc.integer({ min: 2, max: 16 }),
});

export const mixedPrompts = fc.record({
  exact: fc.integer({ min: 0, max: 8 }),
  pieces: fc.array(piece, { minLength: 1, maxLength: 3 }),
  repairs: fc.array(fc.tuple(fc.nat(50), fc.integer({ min: 1, max: 4 })), { maxLength: 3 }),
  tail: fc.integer({ min: 1, max: 4 }),
});

export interface MixedPrompt {
  readonly target: number[];
  readonly imports: (Omit<PlanImport, 'segment'> & { donor: number })[];
  readonly plan: (segments: readonly string[], extras: Partial<ReusePlan>) => ReusePlan;
}

type Shape = typeof mixedPrompts extends fc.Arbitrary<infer T> ? T : never;

/** The first `exact` tokens of donor 0 in place, then pieces of both; repairs have the reason `seam`. */
export function mixedPrompt(donors: readonly number[][], shape: Shape): MixedPrompt {
  const target = donors[0]!.slice(0, shape.exact);
  const imports: MixedPrompt['imports'] = [];
  if (shape.exact > 0) {
    imports.push({ donor: 0, donorStart: 0, targetStart: 0, length: shape.exact, exact: true });
  }
  for (const { gap, donor, donorStart, length } of shape.pieces) {
    target.push(...tokensOf(gap, 9));
    const taken = donors[donor]!.slice(donorStart, donorStart + length);
    const at = { targetStart: target.length, length: taken.length };
    imports.push({ donor, donorStart, ...at, exact: false });
    target.push(...taken);
  }
  target.push(...tokensOf(shape.tail, 8));
  const repairs = shape.repairs
    .map(([start, length]) => ({ start, end: Math.min(start + length, target.length) }))
    .filter(({ start, end }) => start < end);
  const plan: MixedPrompt['plan'] = (segments, extras) => {
    const named = imports.map(({ donor, ...rest }) => ({ ...rest, segment: segments[donor]! }));
    const base = planOf(target.length, named, [], FINGERPRINT);
    const positions = new Map<number, RecomputeReason>();
    const mark = (start: number, end: number, reason: RecomputeReason): void => {
      for (let at = start; at < end; at++) if (!positions.has(at)) positions.set(at, reason);
    };
    for (const { start, end } of base.recompute) mark(start, end, 'changed');
    for (const { start, end } of repairs) mark(start, end, 'seam');
    const recompute = [...positions]
      .sort(([a], [b]) => a - b)
      .map(([start, reason]) => ({ start, end: start + 1, reason }));
    return { ...base, recompute, ...extras };
  };
  return { target, imports, plan };
}

export const positionsOf = (plan: ReusePlan, ...reasons: RecomputeReason[]): number[] =>
  plan.recompute
    .filter(({ reason }) => reasons.length === 0 || reasons.includes(reason))
    .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i));
