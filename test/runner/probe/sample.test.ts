// What a probe draws is what the engine serves: the same seeds give the same tokens.
import { expect, it } from '@jest/globals';
import type { ReusePlan } from '../../../src/protocol/index.ts';
import { Probe } from '../../../src/runner/probe/probe.ts';
import { tokensOf, topUpOf } from '../../support/extra-plans.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, tinyEngine } from '../../support/tiny-engine.ts';

const never = new AbortController().signal;

it('draws the engine’s own tokens, alone, together, and with refresh', async () => {
  const { engine, model, tf } = await tinyEngine();
  const probe = new Probe({ model, fingerprint: FINGERPRINT, maxKvBytes: 2 ** 30 });
  const [donor, prompt] = [tokensOf(60, 4), [...tokensOf(8, 5), ...tokensOf(60, 4)]];
  const served = await collect(engine.generate(requestOf(donor), never));
  const before = tf.memory().numTensors;

  const probedDonor = probe.prefill(Int32Array.from(donor), null);
  const kept = probedDonor.keep();
  probedDonor.close();
  const planFor = (segment: string, extras: Partial<ReusePlan>): ReusePlan => {
    const entry = { segment, donorStart: 4, targetStart: 12, length: 50, exact: false };
    return { ...planOf(prompt.length, [entry], [], FINGERPRINT), ...extras };
  };
  const refresh = { topUp: topUpOf('dhd', 0.2), decodeRefresh: 3 };
  for (const extras of [{}, refresh]) {
    const common = { temperature: 1.2, topP: 0.95, stopTokens: [7] };
    const draws = [3, 4, 5, 6].map((seed) => ({ ...common, seed, maxTokens: 6 + seed }));
    const probed = probe.prefill(Int32Array.from(prompt), planFor(kept, extras));
    const answers = probed.sample([...draws, { ...draws[0]!, temperature: 0 }]);
    expect(answers.at(-1)).toEqual(probed.greedy([], 9, [7]));
    // Drawing leaves the prompt as it was.
    expect(probed.sample(draws.slice(0, 1))).toEqual(answers.slice(0, 1));
    probed.close();
    for (const [at, sampling] of draws.entries()) {
      const plan = planFor(served.stored!.segment, extras);
      const request = requestOf(prompt, { plan, store: false, sampling });
      const { tokens } = await collect(engine.generate(request, never));
      expect(answers[at]!.filter((id) => id !== 7)).toEqual(tokens);
    }
    expect(new Set(answers.map(String)).size).toBeGreaterThan(3);
  }
  probe.forget();
  expect(tf.memory().numTensors).toBe(before);
}, 60_000);
