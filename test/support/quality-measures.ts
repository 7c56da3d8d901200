// Measures of `bench quality` for tests of what is made of them.
import type { CaseMeasure } from '../../src/bench/quality/measure-case.ts';

export const measureOf = (overrides: Partial<CaseMeasure> = {}): CaseMeasure => ({
  id: 'a-0',
  family: 'a',
  policy: 'edit-closure',
  counted: true,
  reason: 'full',
  promptTokens: 100,
  exactTokens: 10,
  importedTokens: 60,
  chargedRecompute: 0.3,
  kl1: 0.01,
  kl32: 0.02,
  top1: 1,
  agree32: 1,
  rougeL: 1,
  ...overrides,
});
