// What a guard is told about a plan, against the oracle's own two forward passes.
import { describe, expect, it } from '@jest/globals';
import { divergence, logSoftmax, mostLikely } from '../../../src/distributions.ts';
import type { CompareRequest } from '../../../src/protocol/index.ts';
import { oracleForward } from '../../support/oracle.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, tinyEngine } from '../../support/tiny-engine.ts';

const never = new AbortController().signal;
const donorTokens = Array.from({ length: 60 }, (_, i) => (i * 11 + 3) % 50);
const target = [7, 9, 1, ...donorTokens.slice(0, 50), 4, 5];
const answer = [8, 30, 2, 17];

async function setUp() {
  const tiny = await tinyEngine({ chunkTokens: 16 });
  const { stored } = await collect(tiny.engine.generate(requestOf(donorTokens), never));
  const entry = { segment: stored!.segment, donorStart: 0, targetStart: 3, length: 50 };
  const plan = planOf(target.length, [{ ...entry, exact: false }], [], FINGERPRINT);
  const { requestId, scope, owner } = requestOf(target);
  const request: CompareRequest = { requestId, scope, owner, tokens: target, plan, answer };
  return { ...tiny, entry, request };
}

describe('Engine.compare', () => {
  it('gives the divergence of the plan from a full prefill along the answer, and keeps nothing', async () => {
    const { engine, oracle, entry, request, model } = await setUp();
    const before = model.tf.memory().numTensors;
    const compared = await engine.compare(request, never);
    const donor = oracleForward(oracle, donorTokens).kv;
    const fresh = request.plan.recompute.flatMap(({ start, end }) =>
      Array.from({ length: end - start }, (_, i) => start + i),
    );
    const kls = answer.map((_, i) => {
      const tokens = [...target, ...answer.slice(0, i)];
      const behind = answer.slice(0, i).map((__, at) => target.length + at);
      const full = logSoftmax(oracleForward(oracle, tokens).logits);
      const imports = [{ ...entry, donor }];
      const planned = oracleForward(oracle, tokens, imports, [...fresh, ...behind]).logits;
      const log = logSoftmax(planned);
      return { kl: divergence(full, log), same: mostLikely(full) === mostLikely(log) };
    });
    expect(kls[0]!.kl).toBeGreaterThan(1e-4);
    expect(compared!.kl1).toBeCloseTo(kls[0]!.kl, 4);
    expect(compared!.kl).toBeCloseTo(kls.reduce((sum, { kl }) => sum + kl, 0) / 4, 4);
    expect(compared).toMatchObject({
      top1: kls[0]!.same,
      agree: kls.filter(({ same }) => same).length / 4,
      tokens: 4,
    });
    expect(model.tf.memory().numTensors).toBe(before);
    expect((await engine.info()).store.contexts).toBe(1);
    engine.store.checkIntegrity();
  });

  it('finds no difference where the plan changes nothing', async () => {
    const { engine, request, entry } = await setUp();
    const same = [...donorTokens.slice(0, 50), 4, 5];
    const inPlace = { ...entry, targetStart: 0, exact: true };
    const plan = planOf(same.length, [inPlace], [], FINGERPRINT);
    const compared = await engine.compare({ ...request, tokens: same, plan }, never);
    expect(compared).toMatchObject({ top1: true, agree: 1 });
    expect(compared!.kl).toBeLessThan(1e-6);
  });

  it('gives way to requests between two of its steps, and ends when aborted', async () => {
    const { engine, request, model } = await setUp();
    const before = model.tf.memory().numTensors;
    const order: string[] = [];
    const comparing = engine.compare(request, never).then(() => order.push('compared'));
    await collect(engine.generate(requestOf([1, 2, 3], { store: false }), never));
    order.push('answered');
    await comparing;
    expect(order).toEqual(['answered', 'compared']);
    const abort = new AbortController();
    const aborted = engine.compare(request, abort.signal);
    await collect(engine.generate(requestOf([1, 2, 3], { store: false }), never));
    abort.abort();
    expect(await aborted).toBeNull();
    expect(model.tf.memory().numTensors).toBe(before);
  });

  it('says nothing about a plan that could not be applied, and refuses a hostile one', async () => {
    const { engine, request } = await setUp();
    const other = { ...request, scope: 'scope-b' };
    await expect(engine.compare(other, never)).rejects.toMatchObject({
      code: 'plan_unknown_segment',
    });
    for (const bad of [[], [50], Array.from({ length: 600 }, () => 1)]) {
      await expect(engine.compare({ ...request, answer: bad }, never)).rejects.toMatchObject({
        code: 'invalid_request',
      });
    }
    engine.store.clear();
    expect(await engine.compare(request, never)).toBeNull();
    await engine.close();
    expect(await engine.compare(request, never).catch(() => null)).toBeNull();
  });
});
