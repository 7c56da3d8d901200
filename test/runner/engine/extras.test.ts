// Plans that need tensors, on the tiny model: against the slow reference, and by what must always hold.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ReusePlan } from '../../../src/protocol/index.ts';
import { mixedPrompt, mixedPrompts, positionsOf, topUpOf } from '../../support/extra-plans.ts';
import { layeredForward, oracleWithExtras } from '../../support/layered-oracle.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT } from '../../support/tiny-engine.ts';
import { withTwoDonors } from '../../support/two-donors.ts';
import { worst } from '../../support/worst.ts';

const never = new AbortController().signal;

/** One long moved import, 40 of 50 tokens: 30 kept behind a repaired seam of ten. */
function movedPrompt(donors: readonly number[][]) {
  return mixedPrompt(donors, {
    exact: 0,
    pieces: [{ gap: 4, donor: 0, donorStart: 6, length: 40 }],
    repairs: [[4, 10]],
    tail: 6,
  });
}

const selectors = ['v-deviation', 'dhd', 'query-attention'] as const;

describe('top-up and full layers against the slow reference', () => {
  it('computes, picks and charges what the reference does, in one chunk or many', async () => {
    const engines = [
      await withTwoDonors({ chunkTokens: 256 }),
      await withTwoDonors({ chunkTokens: 7 }),
    ];
    const extras = fc.record({
      fullLayers: fc.integer({ min: 0, max: 2 }),
      selector: fc.constantFrom(...selectors, null),
      ratio: fc.constantFrom(0.05, 0.2, 0.5, 1),
    });
    await fc.assert(
      fc.asyncProperty(mixedPrompts, extras, async (shape, { fullLayers, selector, ratio }) => {
        for (const { ask, segments, donors, kv, model, oracle } of engines) {
          const { target, imports, plan: planned } = mixedPrompt(donors, shape);
          const topUp = selector && topUpOf(selector, ratio);
          const plan = planned(segments, { topUp, fullLayers });
          const sources = imports.map(({ donor, ...rest }) => ({ ...rest, donor: kv[donor]! }));
          const expected = oracleWithExtras(oracle, target, sources, positionsOf(plan), {
            fullLayers,
            selector,
            ratio,
            asking: [...positionsOf(plan, 'changed', 'suffix')],
          });
          // Where nothing approximate is kept there is nothing to score.
          const fresh = new Set(positionsOf(plan));
          const kept = imports.some(
            ({ exact, targetStart, length }) =>
              !exact &&
              Array.from({ length }, (_, i) => targetStart + i).some((at) => !fresh.has(at)),
          );
          const { receipt } = await ask(target, plan);
          expect(receipt.degraded).toBeNull();
          expect(worst(model.lastLogits, expected.logits)).toBeLessThan(1e-3);
          expect(receipt.recomputedTokens).toBe(fresh.size + expected.picks.length);
          expect(receipt.toppedUpTokens).toBe(selector ? expected.picks.length : undefined);
          const layerTokens = kept ? expected.layerTokens : 3 * fresh.size;
          expect(receipt.chargedRecompute).toBeCloseTo(layerTokens / (3 * target.length), 9);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('charges by the formula', async () => {
    const { ask, donors, segments } = await withTwoDonors();
    const { target, plan } = movedPrompt(donors);
    // 50 tokens, 3 layers: 20 in the plan's ranges (4 + 10 + 6), 30 kept, a fifth of them picked.
    const chargeOf = async (extras: Partial<ReusePlan>) =>
      (await ask(target, plan(segments, extras))).receipt;
    const all = 3 * 50;
    expect((await chargeOf({})).chargedRecompute).toBeCloseTo((3 * 20) / all);
    expect((await chargeOf({ fullLayers: 1 })).chargedRecompute).toBeCloseTo((50 + 2 * 20) / all);
    const blend = await chargeOf({ topUp: topUpOf('v-deviation', 0.2) });
    expect(blend).toMatchObject({ recomputedTokens: 26, toppedUpTokens: 6, importedTokens: 40 });
    expect(blend.chargedRecompute).toBeCloseTo((2 * 50 + 26) / all);
    expect((await chargeOf({ topUp: topUpOf('dhd', 0.2) })).chargedRecompute).toBe(
      blend.chargedRecompute,
    );
    const asked = await chargeOf({ topUp: topUpOf('query-attention', 0.2) });
    expect(asked.chargedRecompute).toBeCloseTo((3 * 10 + 3 * 26) / all);
  });

  it.each([
    ['every token picked by V deviation', { topUp: topUpOf('v-deviation', 1) }],
    ['every token picked by DHD', { topUp: topUpOf('dhd', 1) }],
    ['every token picked by query attention', { topUp: topUpOf('query-attention', 1) }],
    ['every layer in full', { fullLayers: 3 }],
    ['more full layers than there are', { fullLayers: 1024 }],
    ['both', { fullLayers: 2, topUp: topUpOf('query-attention', 1) }],
  ] as const)('equals full prefill, exactly computed, with %s', async (_, extras) => {
    const { engine, ask, donors, segments, model } = await withTwoDonors({ chunkTokens: 16 });
    const { target, plan } = movedPrompt(donors);
    await ask(target, null);
    const full = model.lastLogits.slice();
    const { receipt, stored } = await collect(
      engine.generate(requestOf(target, { plan: plan(segments, extras) }), never),
    );
    expect(worst(model.lastLogits, full)).toBeLessThan(1e-4);
    expect(receipt.recomputedTokens).toBe(50);
    // Nothing imported is left, so the whole prompt may serve as a donor.
    expect(stored!.exactTokens).toBe(50);
  });

  it('stays approximate from the first token that keeps imported KV', async () => {
    const { engine, donors, segments } = await withTwoDonors({ chunkTokens: 16 });
    const { target, plan } = movedPrompt(donors);
    const { stored } = await collect(
      engine.generate(
        requestOf(target, { plan: plan(segments, { topUp: topUpOf('dhd', 0.2) }) }),
        never,
      ),
    );
    expect(stored!.exactTokens).toBeGreaterThanOrEqual(14);
    expect(stored!.exactTokens).toBeLessThan(44);
    engine.store.checkIntegrity();
  });
});

describe('keys and tokens as they are', () => {
  it('leaves keys unturned under policy naive, which matters only when they move', async () => {
    const { ask, donors, segments, kv, model, oracle } = await withTwoDonors();
    const { target, imports, plan } = movedPrompt(donors);
    await ask(target, plan(segments, { policy: 'naive' }));
    const sources = imports.map(({ donor, ...rest }) => ({ ...rest, donor: kv[donor]! }));
    const rows = positionsOf(plan(segments, {}));
    const naive = layeredForward(oracle, {
      tokens: target,
      imports: sources,
      rowsAt: () => rows,
      rotated: false,
    });
    expect(worst(model.lastLogits, naive.logits)).toBeLessThan(1e-3);
    await ask(target, plan(segments, {}));
    expect(worst(model.lastLogits, naive.logits)).toBeGreaterThan(1e-2);

    const inPlace = {
      segment: segments[0]!,
      donorStart: 0,
      targetStart: 0,
      length: 40,
      exact: false,
    };
    const still = planOf(48, [inPlace], [], FINGERPRINT);
    await ask(donors[0]!, still);
    const turned = model.lastLogits.slice();
    await ask(donors[0]!, { ...still, policy: 'naive' });
    expect(worst(model.lastLogits, turned)).toBe(0);
  });

  it('imports unequal tokens for policy semantic alone, with full layers, never as exact', async () => {
    const { engine, donors, segments, kv, model, oracle } = await withTwoDonors();
    const target = donors[0]!.slice();
    target[20] = (target[20]! + 1) % 50;
    const entry = {
      segment: segments[0]!,
      donorStart: 0,
      targetStart: 0,
      length: 40,
      exact: false,
    };
    const base = planOf(48, [entry], [], FINGERPRINT);
    const ask = (plan: ReusePlan) => collect(engine.generate(requestOf(target, { plan }), never));
    const refused: Partial<ReusePlan>[] = [
      {},
      { fullLayers: 1 },
      { policy: 'semantic' },
      { policy: 'naive', fullLayers: 1 },
      { policy: 'semantic', fullLayers: 1, imports: [{ ...entry, exact: true }] },
    ];
    for (const change of refused) {
      expect(() =>
        engine.generate(requestOf(target, { plan: { ...base, ...change } }), never),
      ).toThrow(expect.objectContaining({ code: 'plan_invalid' }));
    }
    const { receipt, stored } = await ask({ ...base, policy: 'semantic', fullLayers: 1 });
    const expected = oracleWithExtras(
      oracle,
      target,
      [{ ...entry, donor: kv[0]! }],
      positionsOf(base),
      { fullLayers: 1, selector: null, ratio: 0, asking: [] },
    );
    expect(worst(model.lastLogits, expected.logits)).toBeLessThan(1e-3);
    expect(receipt).toMatchObject({ exactTokens: 0, importedTokens: 40, recomputedTokens: 8 });
    expect(stored!.exactTokens).toBe(0);
    engine.store.checkIntegrity();
  });

  it('announces what it can do, and refuses refreshes that have no scores', async () => {
    const { engine, donors, segments } = await withTwoDonors();
    expect((await engine.info()).capabilities).toEqual({
      imports: 'runs',
      topUp: ['query-attention', 'v-deviation', 'dhd'],
      fullLayers: true,
      driftCorrection: true,
      decodeRefresh: true,
      unequalTokens: true,
      compare: true,
      storeControl: true,
    });
    const { target, plan } = movedPrompt(donors);
    expect(() =>
      engine.generate(requestOf(target, { plan: plan(segments, { decodeRefresh: 2 }) }), never),
    ).toThrow(expect.objectContaining({ code: 'plan_unsupported' }));
  });
});
