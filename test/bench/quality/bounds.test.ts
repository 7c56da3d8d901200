import { describe, expect, it } from '@jest/globals';
import { checkBounds } from '../../../src/bench/quality/bounds.ts';
import { summarise } from '../../../src/bench/quality/summarise.ts';
import { measureOf } from '../../support/quality-measures.ts';

const missed = (family: string, ...overrides: Parameters<typeof measureOf>[0][]) =>
  checkBounds({ [family]: summarise(overrides.map((one) => measureOf({ family, ...one }))) })
    .filter(({ isMet }) => !isMet)
    .map(({ measure }) => measure);

describe('bounds', () => {
  it('hold compositions to cost, KL and agreement', () => {
    expect(missed('shifted_prefix', {})).toEqual([]);
    expect(missed('any_other', { kl32: 0.031, chargedRecompute: 0.31 })).toEqual([
      'chargedRecompute',
      'kl32',
    ]);
    expect(missed('passage_reorder', { top1: 0 }, { agree32: 0.8 })).toEqual(['top1', 'agree32']);
    expect(missed('few_shot_reorder', { chargedRecompute: 0.5 })).toEqual([]);
  });

  it('hold edits to next to nothing, and to the right answer', () => {
    const margin = { full: 2, stale: -1, policy: 1.5 };
    expect(missed('edit_near', { kl32: 0.0004 })).toEqual([]);
    expect(missed('edit_number', { kl32: 0.0006, margin })).toEqual(['kl32', 'marginRecovery']);
    expect(missed('edit_far', { kl32: 0.005, margin })).toEqual(['marginRecovery']);
  });

  it('want nothing imported where there is nothing in common', () => {
    expect(missed('negative_control', { counted: false })).toEqual([]);
    expect(missed('negative_control', {})).toEqual(['n']);
  });

  it('say nothing of a family in which nothing was imported', () => {
    const summary = summarise([measureOf({ counted: false })]);
    expect(checkBounds({ shifted_prefix: summary })).toEqual([]);
  });
});
