// From sampled answers to whether those under reuse are drawn from the same distribution.
import { mean } from '../quality/bootstrap.ts';
import type { DiversityMeasure } from './measure-diversity.ts';
import {
  distinct,
  permutationTest,
  runsOf,
  totalVariation,
  type PermutationTest,
} from './permutation-test.ts';
import { spread, total, type Spread } from './spread.ts';

export interface DiversitySummary {
  readonly prompts: number;
  readonly reused: number;
  /** Of each kind, all prompts together. */
  readonly answers: number;
  /** Exact, of the first token. */
  readonly totalVariation: Spread;
  readonly firstTokens: PermutationTest;
  readonly distinct1: PermutationTest & { readonly full: number };
  readonly distinct2: PermutationTest & { readonly full: number };
  /** Answers that name something of the receiver's own card, of the donor's. */
  readonly withOwn: { readonly full: number; readonly reuse: number };
  readonly withOthers: { readonly full: number; readonly reuse: number };
}

export function summariseDiversity(measures: readonly DiversityMeasure[]): DiversitySummary {
  const answers = measures.map(({ full, reuse }) => ({ full: full.tokens, reuse: reuse.tokens }));
  const distinctness = (n: 1 | 2) => {
    const groups = answers.map(({ full, reuse }) => ({
      full: full.map((answer) => runsOf(answer, n)),
      reuse: reuse.map((answer) => runsOf(answer, n)),
    }));
    const test = permutationTest(groups, (full, reuse) => distinct(reuse) - distinct(full));
    return { full: mean(groups.map(({ full }) => distinct(full))), ...test };
  };
  const firsts = answers.map(({ full, reuse }) => ({
    full: full.map(([first]) => first!),
    reuse: reuse.map(([first]) => first!),
  }));
  const named = (kind: 'full' | 'reuse', what: 'withOwn' | 'withOthers'): number =>
    total(measures.map((measure) => measure[kind][what]));
  return {
    prompts: measures.length,
    reused: measures.filter(({ importedTokens }) => importedTokens > 0).length,
    answers: total(answers.map(({ reuse }) => reuse.length)),
    totalVariation: spread(measures.map((measure) => measure.totalVariation)),
    firstTokens: permutationTest(firsts, totalVariation),
    distinct1: distinctness(1),
    distinct2: distinctness(2),
    withOwn: { full: named('full', 'withOwn'), reuse: named('reuse', 'withOwn') },
    withOthers: { full: named('full', 'withOthers'), reuse: named('reuse', 'withOthers') },
  };
}
