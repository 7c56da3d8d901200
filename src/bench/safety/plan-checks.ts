// Two looks at a plan beside the tokens of donor and target: which unequal tokens it would use, and the plan that a
// broken planner could make: it takes the changed tokens over as well. The latter shows that the measures see a leak.
import type { ReusePlan } from '../../protocol/index.ts';

/** Imported slots that are not computed again although the donor has another token there. */
export function unequalSlots(
  plan: ReusePlan | null,
  target: Int32Array,
  donorOf: (segment: string) => Int32Array,
): number {
  if (plan === null) return 0;
  const fresh = new Uint8Array(target.length);
  for (const { start, end } of plan.recompute) fresh.fill(1, start, end);
  let unequal = 0;
  for (const { segment, donorStart, targetStart, length } of plan.imports) {
    const donor = donorOf(segment);
    for (let i = 0; i < length; i++) {
      const kept = fresh[targetStart + i] === 0;
      if (kept && donor[donorStart + i] !== target[targetStart + i]) unequal++;
    }
  }
  return unequal;
}

interface LeakInput {
  readonly donor: { readonly segment: string; readonly tokens: Int32Array };
  readonly target: Int32Array;
  readonly suffixStart: number;
  readonly fingerprint: string;
}

/** Equal tokens from the start, and from the end. */
function commonEnds(
  a: Int32Array,
  b: Int32Array,
): { readonly head: number; readonly tail: number } {
  const most = Math.min(a.length, b.length) - 1;
  let head = 0;
  while (head < most && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < most - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  return { head, tail };
}

/**
 * Imports everything in front of the question, changed tokens too, as far as they fit. Runners refuse that of every
 * policy but `semantic` with a first layer of its own, so this is the worst that a planner could get past one.
 */
export function leakingPlan({ donor, target, suffixStart, fingerprint }: LeakInput): ReusePlan {
  const { head, tail } = commonEnds(donor.tokens, target);
  const [inDonor, inTarget] = [donor.tokens.length - tail, target.length - tail];
  const changed = Math.min(inDonor, inTarget) - head;
  const start = inTarget - changed;
  const end = Math.max(start, Math.min(suffixStart, target.length - 1));
  const imports = [
    { donorStart: 0, targetStart: 0, length: head, exact: true },
    { donorStart: inDonor - changed, targetStart: start, length: end - start, exact: false },
  ];
  const recompute = [
    { start: head, end: start, reason: 'changed' },
    { start: end, end: target.length, reason: 'suffix' },
  ] as const;
  return {
    ...{ version: 1, planId: 'leak', fingerprint, numTokens: target.length, policy: 'semantic' },
    imports: imports
      .filter(({ length }) => length > 0)
      .map((entry) => ({ segment: donor.segment, ...entry })),
    recompute: recompute.filter((range) => range.end > range.start),
    ...{ topUp: null, fullLayers: 1, decodeRefresh: 0 },
  };
}
