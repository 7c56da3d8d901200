import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DonorIndex } from '../../src/match/index.ts';
import { checkPlan, type ImportAbility } from '../../src/protocol/index.ts';
import { optionsOf, planReuse, type ReuseOptions } from '../../src/reuse/index.ts';
import { closeCuts } from '../../src/reuse/limited-imports.ts';
import { donorOf } from '../support/brute-force.ts';
import { planRunner, readWords } from '../support/plan-runner.ts';

const words = (length: number, from: number): number[] =>
  Array.from({ length }, (_, i) => 10 + from * 200 + i);
const [system, first, second, third] = [words(40, 1), words(60, 2), words(60, 3), words(60, 4)];

function planFor(imports: ImportAbility, target: readonly number[], options: ReuseOptions) {
  const index = new DonorIndex();
  index.add(donorOf('a', [...system, ...first, ...second, ...third, ...words(8, 20)]));
  const tokens = Int32Array.from(target);
  return planReuse({
    planId: 'plan',
    target: tokens,
    suffixStart: tokens.length - 8,
    tokenClasses: new Uint8Array(9000),
    candidates: {
      ...index.candidates({ scope: 'scope-a', owner: null, target: tokens }, 32),
    },
    options,
    runner: planRunner({ capabilities: { ...planRunner().capabilities, imports } }),
    readText: readWords,
  });
}

const cut = [...system, ...second, ...third, ...words(8, 21)];

describe('a runner that imports the beginning of a context only', () => {
  it('is planned the exact prefix, and why that was all', () => {
    const plan = planFor('prefix', cut, optionsOf('edit-closure'));
    expect(plan).toMatchObject({ outcome: 'exact', reason: 'runner-unable', exactTokens: 40 });
    expect(plan.plan!.imports).toHaveLength(1);
    expect(planFor('runs', cut, optionsOf('placeholder'))).toMatchObject({ outcome: 'reused' });
  });

  it('misses nothing where the prefix is all there is', () => {
    const same = [...system, ...first, ...second, ...third, ...words(8, 21)];
    expect(planFor('prefix', same, optionsOf('edit-closure'))).toMatchObject({
      ...{ outcome: 'exact', reason: 'full', exactTokens: 220 },
    });
    expect(planFor('prefix', words(100, 30), optionsOf('edit-closure'))).toMatchObject({
      ...{ outcome: 'cold', reason: 'no-donor' },
    });
  });
});

describe('a runner that closes up what was cut out', () => {
  it('is planned so where the policy takes moved text as it is', () => {
    const decision = planFor('cuts', cut, optionsOf('placeholder'));
    expect(decision).toMatchObject({ outcome: 'reused', reason: 'full', importedTokens: 120 });
    expect(decision.plan!.imports.map((i) => [i.donorStart, i.targetStart, i.length])).toEqual([
      [0, 0, 40],
      [100, 40, 120],
    ]);
    const { fingerprint } = planRunner();
    checkPlan(decision.plan, { numTokens: cut.length, fingerprint });
  });

  it('stays with the prefix where more has to be computed, or nothing can be closed up', () => {
    expect(planFor('cuts', cut, optionsOf('edit-closure'))).toMatchObject({
      ...{ outcome: 'exact', reason: 'runner-unable' },
    });
    const swapped = [...system, ...third, ...first, ...words(8, 21)];
    const decision = planFor('cuts', swapped, optionsOf('placeholder'));
    // What comes later in the target must come later in the context.
    expect(decision).toMatchObject({ outcome: 'reused', importedTokens: 60 });
    const inserted = [...system, ...words(5, 30), ...first, ...second, ...words(8, 21)];
    expect(planFor('cuts', inserted, optionsOf('placeholder'))).toMatchObject({
      ...{ outcome: 'exact', reason: 'runner-unable' },
    });
  });
});

it('closeCuts finds stretches that are equal, in order and without gaps in the target', () => {
  const token = fc.integer({ min: 1, max: 3 });
  const text = fc.array(token, { minLength: 5, maxLength: 60 });
  fc.assert(
    fc.property(text, text, fc.integer({ min: 1, max: 6 }), (donor, target, minRun) => {
      let [at, read] = [0, 0];
      for (const { donorStart, targetStart, length } of closeCuts(donor, target, 0, minRun)) {
        expect(targetStart).toBe(at);
        expect(donorStart).toBeGreaterThanOrEqual(read);
        expect(length).toBeGreaterThanOrEqual(minRun);
        const taken = donor.slice(donorStart, donorStart + length);
        expect(taken).toEqual(target.slice(targetStart, targetStart + length));
        at = targetStart + length;
        read = donorStart + length;
      }
    }),
  );
});
