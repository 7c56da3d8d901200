// The quality cases of the golden vectors, our planner over them, and how far one distribution is from another.
import { DonorIndex } from '../../src/match/index.ts';
import { planReuse, type ReuseOptions } from '../../src/reuse/index.ts';
import { donorOf } from './brute-force.ts';
import { realTokenizer } from './golden.ts';
import { planRunner, readWords } from './plan-runner.ts';

export const realTokenClasses = async (): Promise<Uint8Array> =>
  (await realTokenizer()).tokenClasses;

export interface PlannedCase {
  readonly donors: number[][];
  readonly target: number[];
  readonly question_start: number;
}

/** What the planner makes of a case without its quality fallbacks. */
export function planCase(
  { donors, target, question_start: suffixStart }: PlannedCase,
  segments: readonly string[],
  { tokenClasses, fingerprint }: { tokenClasses: Uint8Array; fingerprint: string },
  options: ReuseOptions,
) {
  const index = new DonorIndex();
  donors.forEach((tokens, i) => index.add(donorOf(segments[i]!, tokens)));
  const ids = Int32Array.from(target);
  return planReuse({
    planId: 'plan-1',
    target: ids,
    suffixStart,
    tokenClasses,
    candidates: index.candidates({ scope: 'scope-a', owner: null, target: ids }, 32),
    options: { ...options, fallbacks: false },
    runner: planRunner({ fingerprint }),
    readText: readWords,
  });
}

// Plain loops: array methods with callbacks are many times slower on Jest's borrowed typed arrays.
export function softmax(logits: Float32Array): Float64Array {
  let top = -Infinity;
  for (const logit of logits) if (logit > top) top = logit;
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += weights[i] = Math.exp(logits[i]! - top);
  for (let i = 0; i < logits.length; i++) weights[i]! /= total;
  return weights;
}

/** KL(p || q) in nats. */
export function divergence(p: Float64Array, q: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i]! > 0) sum += p[i]! * (Math.log(p[i]!) - Math.log(Math.max(q[i]!, 1e-300)));
  }
  return sum;
}
