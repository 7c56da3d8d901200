// Drift correction on the tiny model: against the slow reference, in one chunk or many, and by what must always hold.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { oracleWithDrift } from '../../support/drift-oracle.ts';
import {
  mixedPrompt,
  mixedPrompts,
  positionsOf,
  tokensOf,
  topUpOf,
} from '../../support/extra-plans.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT } from '../../support/tiny-engine.ts';
import { withTwoDonors } from '../../support/two-donors.ts';
import { worst } from '../../support/worst.ts';

const never = new AbortController().signal;

/** Two moved runs with repairs in both. */
const twoRuns = {
  exact: 4,
  pieces: [
    { gap: 3, donor: 0, donorStart: 10, length: 16 },
    { gap: 1, donor: 1, donorStart: 2, length: 14 },
  ],
  repairs: [
    [7, 3],
    [15, 1],
    [24, 4],
  ] as [number, number][],
  tail: 4,
};

describe('drift correction', () => {
  it('moves what the reference moves, in one chunk or many', async () => {
    const engines = await Promise.all(
      [256, 7].map(async (chunk) => ({ chunk, ...(await withTwoDonors({ chunkTokens: chunk })) })),
    );
    let moved = 0;
    const strengths = fc.constantFrom(0.25, 0.4, 1);
    await fc.assert(
      fc.asyncProperty(mixedPrompts, strengths, async (shape, driftCorrection) => {
        for (const { chunk, ask, segments, donors, kv, model, oracle } of engines) {
          const { target, imports, plan: planned } = mixedPrompt(donors, shape);
          // What begins in its own place shares the donor's pages, which nobody moves.
          const [first, second] = imports;
          const behind = first!.exact ? second! : first!;
          fc.pre(behind.donor !== 0 || behind.donorStart !== behind.targetStart);
          const plan = planned(segments, { driftCorrection });
          const sources = imports.map(({ donor, ...rest }) => ({ ...rest, donor: kv[donor]! }));
          const recompute = positionsOf(plan);
          const input = { tokens: target, imports: sources, recompute, chunk };
          const expected = oracleWithDrift(oracle, { ...input, strength: driftCorrection });
          const { receipt } = await ask(target, plan);
          expect(receipt.degraded).toBeNull();
          expect(worst(model.lastLogits, expected)).toBeLessThan(1e-3);
          expect(receipt.chargedRecompute).toBeCloseTo(recompute.length / target.length, 9);
          if (worst(oracleWithDrift(oracle, { ...input, strength: 0 }), expected) > 1e-2) moved++;
        }
      }),
      { numRuns: 40 },
    );
    expect(moved).toBeGreaterThan(10);
  });

  it('is the same whoever decodes besides, and moves no donor', async () => {
    const { ask, donors, segments, model, engine } = await withTwoDonors({
      chunkTokens: 256,
      sharedChunkTokens: 5,
    });
    const { target, plan } = mixedPrompt(donors, twoRuns);
    const asked = plan(segments, { driftCorrection: 0.4 });
    const again = planOf(
      48,
      [{ segment: segments[0]!, donorStart: 0, targetStart: 0, length: 47, exact: true }],
      [],
      FINGERPRINT,
    );
    await ask(donors[0]!, again);
    const donorsAnswer = model.lastLogits.slice();
    const { tokens } = await ask(target, asked, { maxTokens: 8 });
    const other = collect(
      engine.generate(requestOf(tokensOf(20, 7), { sampling: { maxTokens: 60 } }), never),
    );
    expect((await ask(target, asked, { maxTokens: 8, store: true })).tokens).toEqual(tokens);
    expect((await other).tokens).toHaveLength(60);
    await ask(donors[0]!, again);
    expect(worst(model.lastLogits, donorsAnswer)).toBe(0);
    engine.store.checkIntegrity();
  });

  it('is refused beside what computes other tokens in other layers', async () => {
    const { ask, donors, segments } = await withTwoDonors({});
    const { target, plan } = mixedPrompt(donors, twoRuns);
    for (const extra of [{ topUp: topUpOf('dhd', 0.2) }, { fullLayers: 1 }]) {
      await expect(
        (async () => ask(target, plan(segments, { driftCorrection: 0.4, ...extra })))(),
      ).rejects.toMatchObject({ code: 'plan_invalid' });
    }
  });
});
