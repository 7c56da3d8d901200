// What plans with extras leave behind: refreshed KV while decoding, no tensors, and an answer when they fail.
import type { Rank } from '@tensorflow/tfjs-core';
import { describe, expect, it } from '@jest/globals';
import type { ReusePlan } from '../../../src/protocol/index.ts';
import { mixedPrompt, positionsOf, tokensOf, topUpOf } from '../../support/extra-plans.ts';
import { oracleRows, oracleWithExtras } from '../../support/layered-oracle.ts';
import { oracleForward } from '../../support/oracle.ts';
import { collect, requestOf, type Answer } from '../../support/plans.ts';
import { tinyEngine } from '../../support/tiny-engine.ts';
import { worst } from '../../support/worst.ts';

const never = new AbortController().signal;

/** A donor and a prompt of 50 tokens, 40 of them moved, 30 of these kept. */
async function moved(chunkTokens = 256) {
  const tiny = await tinyEngine({ chunkTokens });
  const donors = [tokensOf(48, 1), tokensOf(48, 2)];
  const { stored } = await collect(tiny.engine.generate(requestOf(donors[0]!), never));
  const { target, plan } = mixedPrompt(donors, {
    exact: 0,
    pieces: [{ gap: 4, donor: 0, donorStart: 6, length: 40 }],
    repairs: [[4, 10]],
    tail: 6,
  });
  return {
    ...tiny,
    donors,
    target,
    plan: (extras: Partial<ReusePlan>) => plan([stored!.segment], extras),
  };
}

const refreshed = ({ events }: Answer): number | undefined => {
  const end = events.at(-1)!;
  return end.type === 'end' ? end.refreshedTokens : undefined;
};

describe('refreshing imported tokens while decoding', () => {
  it('refreshes so many with each token until nothing is left, in the same pass', async () => {
    const { engine, model, target, plan } = await moved();
    // Two of 30 are picked; 28 are refreshed by four: seven steps.
    const extras = { topUp: topUpOf('dhd', 0.05), decodeRefresh: 4 };
    const before = model.passes;
    const ask = (maxTokens: number) =>
      collect(
        engine.generate(
          requestOf(target, { plan: plan(extras), store: false, sampling: { maxTokens } }),
          never,
        ),
      );
    expect(refreshed(await ask(1))).toBe(0);
    expect(refreshed(await ask(4))).toBe(12);
    const all = await ask(12);
    expect(refreshed(all)).toBe(28);
    expect(all.receipt).toMatchObject({ recomputedTokens: 22, toppedUpTokens: 2 });
    // Each answer: full layers, deep layers, then one pass a further token: refreshes ride along.
    expect(model.passes - before).toBe(2 + (2 + 3) + (2 + 11));
  });

  it.each(['v-deviation', 'dhd', 'query-attention'] as const)(
    'decodes with %s refreshes as the slow reference does, worst first',
    async (selector) => {
      const { engine, model, oracle, donors, target, plan } = await moved(16);
      const forced = tokensOf(10, 4);
      const given = plan({ topUp: topUpOf(selector, 0.2), decodeRefresh: 3 });
      model.force(forced);
      const request = requestOf(target, {
        plan: given,
        store: false,
        sampling: { maxTokens: forced.length },
      });
      await collect(engine.generate(request, never));
      const seen = model.release();

      const at = { donorStart: 6, targetStart: 4, length: 40, exact: false };
      const start = oracleWithExtras(
        oracle,
        target,
        [{ ...at, donor: oracleForward(oracle, donors[0]!).kv }],
        positionsOf(given),
        { fullLayers: 0, selector, ratio: 0.2, asking: positionsOf(given, 'changed') },
      );
      expect(worst(seen[0]!, start.logits)).toBeLessThan(1e-3);
      const order = start.scores
        .map((score, i) => ({ score, at: 14 + i }))
        .filter((token) => !start.picks.includes(token.at))
        .sort((a, b) => b.score - a.score)
        .map((token) => token.at);
      const tokens = [...target, ...forced];
      for (let step = 1; step < forced.length; step++) {
        const batch = order.splice(0, 3).sort((a, b) => a - b);
        const logits = oracleRows(oracle, start.kv, tokens, [...batch, target.length + step - 1]);
        expect(worst(seen[step]!, logits)).toBeLessThan(1e-3);
      }
      expect(order).toHaveLength(0);
    },
  );

  it('says nothing about refreshes that nobody asked for', async () => {
    const { engine, target, plan } = await moved();
    const request = requestOf(target, { plan: plan({ topUp: topUpOf('dhd', 0.2) }) });
    expect(refreshed(await collect(engine.generate(request, never)))).toBeUndefined();
  });

  it('keeps prompt and answer, and an owner can go on from them', async () => {
    const { engine, target, plan } = await moved();
    const extras = { topUp: topUpOf('v-deviation', 0.2), decodeRefresh: 3 };
    const answer = await collect(
      engine.generate(requestOf(target, { plan: plan(extras), sampling: { maxTokens: 6 } }), never),
    );
    expect(answer.stored!.tokens).toEqual([...target, ...answer.tokens.slice(0, 5)]);
    expect(answer.stored!.exactTokens).toBeLessThan(44);
    engine.store.checkIntegrity();
    const next = [...answer.stored!.tokens, ...tokensOf(4, 6)];
    const { segment, exactTokens: exact } = answer.stored!;
    const imports = [
      { segment, donorStart: 0, targetStart: 0, length: exact, exact: true },
      { segment, donorStart: exact, targetStart: exact, length: 55 - exact, exact: false },
    ];
    const recompute = [{ start: 55, end: 59, reason: 'changed' as const }];
    const on = { ...plan({}), numTokens: 59, imports, recompute, ...extras };
    const { receipt, stored } = await collect(
      engine.generate(requestOf(next, { plan: on }), never),
    );
    expect(receipt).toMatchObject({ exactTokens: exact, importedTokens: 55 - exact });
    expect(stored!.exactTokens).toBeGreaterThanOrEqual(exact);
    engine.store.checkIntegrity();
  });
});

const everyExtra: Partial<ReusePlan>[] = [
  { driftCorrection: 0.4 },
  { topUp: topUpOf('v-deviation', 0.2) },
  { topUp: topUpOf('dhd', 0.2), decodeRefresh: 3 },
  { topUp: topUpOf('query-attention', 0.2, { window: 4, keep: 2 }) },
  { topUp: topUpOf('query-attention', 0.2), fullLayers: 2 },
  { fullLayers: 1 },
  { fullLayers: 3 },
  { policy: 'naive' },
];

describe('tensors', () => {
  it('are all accounted for when the answer has ended', async () => {
    const { engine, tf, target, plan } = await moved(16);
    const baseline = tf.memory().numTensors - engine.store.numTensors;
    for (const extras of everyExtra) {
      const request = requestOf(target, { plan: plan(extras), sampling: { maxTokens: 4 } });
      await collect(engine.generate(request, never));
      expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);
    }
    engine.store.clear();
    expect(tf.memory().numTensors).toBe(baseline);
  });

  it('are all freed when the request is cancelled at any step', async () => {
    const { engine, model, tf, target, plan } = await moved(7);
    const baseline = tf.memory().numTensors;
    const forward = model.forward.bind(model);
    for (const extras of everyExtra) {
      let passes = Infinity;
      for (let stopAt = 1; stopAt < passes; stopAt++) {
        const abort = new AbortController();
        let seen = 0;
        model.forward = (input) => {
          if (++seen === stopAt) abort.abort();
          return forward(input);
        };
        const request = requestOf(target, {
          plan: plan(extras),
          store: false,
          sampling: { maxTokens: 4 },
        });
        const events = [];
        for await (const event of engine.generate(request, abort.signal)) events.push(event);
        // Not one more pass than the one in which the client went away.
        if (events.at(-1)!.type === 'end' && seen > stopAt) throw new Error('went on');
        if (seen < stopAt) passes = 0;
        expect(tf.memory().numTensors).toBe(baseline);
      }
    }
    model.forward = forward;
    expect((await engine.info()).requests).toEqual({ running: 0, waiting: 0 });
  });
});

describe('side by side', () => {
  it('answers each request as it would be answered alone', async () => {
    const { engine, target, plan } = await moved(7);
    const ask = async (extras: Partial<ReusePlan>): Promise<object> => {
      const request = requestOf(target, {
        plan: plan(extras),
        store: false,
        sampling: { maxTokens: 12 },
      });
      const { tokens, receipt } = await collect(engine.generate(request, never));
      return { tokens, charged: receipt.chargedRecompute, toppedUp: receipt.toppedUpTokens };
    };
    const alone: object[] = [];
    for (const extras of everyExtra) alone.push(await ask(extras));
    expect(await Promise.all(everyExtra.map(ask))).toEqual(alone);
  });
});

describe('when choosing fails', () => {
  it.each([1, 2, 4, 9])(
    'computes everything cold, says so and leaks nothing (pass %i throws)',
    async (failing) => {
      const { engine, model, tf, target, plan } = await moved(16);
      const baseline = tf.memory().numTensors - engine.store.numTensors;
      const forward = model.forward.bind(model);
      for (const extras of everyExtra.filter(({ topUp, fullLayers }) => topUp ?? fullLayers)) {
        let seen = 0;
        model.forward = (input) => {
          if (++seen === failing) throw new Error('no memory');
          return forward(input);
        };
        const asked = engine.generate(requestOf(target, { plan: plan(extras) }), never);
        const { receipt, stored } = await collect(asked);
        const failed = seen >= failing;
        if (failed) {
          const cold = { exactTokens: 0, importedTokens: 0, recomputedTokens: 50 };
          expect(receipt).toMatchObject({ ...cold, degraded: 'import-failed' });
          // What was computed in vain was computed.
          expect(receipt.chargedRecompute).toBeGreaterThanOrEqual(1);
          expect(stored!.exactTokens).toBe(50);
          const logits = model.lastLogits.slice();
          model.forward = forward;
          await collect(engine.generate(requestOf(target, { store: false }), never));
          expect(worst(logits, model.lastLogits)).toBe(0);
        }
        expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);
      }
    },
  );

  it('does not trust scores that are no numbers', async () => {
    const { engine, model, tf, target, plan } = await moved();
    const baseline = tf.memory().numTensors;
    const forward = model.forward.bind(model);
    model.forward = (input) => {
      const { attention, ...output } = forward(input);
      if (!attention) return output;
      attention.dispose();
      return { ...output, attention: tf.fill<Rank.R1>(attention.shape, NaN) };
    };
    const request = requestOf(target, {
      plan: plan({ topUp: topUpOf('query-attention', 0.2) }),
      store: false,
    });
    const { receipt } = await collect(engine.generate(request, never));
    expect(receipt).toMatchObject({ degraded: 'import-failed', toppedUpTokens: 0 });
    expect(tf.memory().numTensors).toBe(baseline);
  });
});
