// One prompt answered many times with temperature, from full prefill and from reuse.
import type { CaseContext, PolicyVariant } from '../quality/measure-case.ts';
import { logSoftmax } from '../../distributions.ts';
import type { Probed } from '../quality/prober.ts';
import { draws } from './answers.ts';
import type { DiversityCase } from './diversity-cases.ts';
import { withPair } from './pair.ts';

export interface DrawnAnswers {
  readonly tokens: readonly (readonly number[])[];
  /** How many of them name something of the receiver's card, and of the donor's. */
  readonly withOwn: number;
  readonly withOthers: number;
}

export interface DiversityMeasure {
  readonly id: string;
  readonly importedTokens: number;
  readonly chargedRecompute: number;
  /** Between the two distributions of the first token, exactly. */
  readonly totalVariation: number;
  readonly full: DrawnAnswers;
  readonly reuse: DrawnAnswers;
}

const ANSWER_TOKENS = 16;

const firstShares = (probed: Probed): Float64Array => {
  const [first] = probed.logits([0]);
  return logSoftmax(first!).map(Math.exp);
};

export function measureDiversity(
  diversity: DiversityCase,
  { options }: PolicyVariant,
  samples: number,
  context: CaseContext,
): Promise<DiversityMeasure> {
  const { tokenizer } = context;
  const limits = { maxTokens: ANSWER_TOKENS, stopTokens: tokenizer.stopTokens };
  const drawn = (probed: Probed, seed: number): DrawnAnswers => {
    const tokens = probed.sample(draws(samples, seed, limits));
    const texts = tokens.map((answer) => tokenizer.decode(answer));
    const naming = (facts: readonly string[]): number =>
      texts.filter((text) => facts.some((fact) => text.includes(fact))).length;
    return { tokens, withOwn: naming(diversity.own), withOthers: naming(diversity.others) };
  };
  return withPair(diversity, context, async (pair) => {
    const full = pair.prefill(null);
    const { plan, importedTokens } = await pair.plan(options);
    const reuse = pair.prefill(plan);
    const [a, b] = [firstShares(full), firstShares(reuse)];
    // The two are compared as samples: each has seeds of its own.
    const seed = Number(diversity.id.split('-')[1]) * 1_000_000;
    return {
      ...{ id: diversity.id, importedTokens },
      chargedRecompute: reuse.receipt.chargedRecompute,
      totalVariation: a.reduce((sum, share, id) => sum + Math.abs(share - b[id]!), 0) / 2,
      full: drawn(full, seed),
      reuse: drawn(reuse, seed + 500_000),
    };
  });
}
