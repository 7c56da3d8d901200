// What top-ups are for, on the real model: each brings the next token's distribution closer to full prefill
// than the ranges that it adds to, at the charge that its paper names.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { optionsOf, type ReuseOptions } from '../../../src/reuse/index.ts';
import { Engine } from '../../../src/runner/engine/engine.ts';
import { topUpOf } from '../../support/extra-plans.ts';
import { golden, realModel } from '../../support/golden.ts';
import { collect, requestOf } from '../../support/plans.ts';
import {
  divergence,
  planCase,
  realTokenClasses,
  softmax,
  type PlannedCase,
} from '../../support/quality-cases.ts';

const never = new AbortController().signal;
const fingerprint = 'golden';

const placeholder = optionsOf('placeholder');
const policies: Record<string, ReuseOptions> = {
  placeholder,
  cacheblend: optionsOf('cacheblend'),
  dhd: optionsOf('dhd'),
  queryAttention: { ...placeholder, topUp: topUpOf('query-attention', 0.15) },
};

describe('top-ups on the quality cases', () => {
  const { cases } = golden<{ cases: PlannedCase[] }>('quality');
  const rows = new Map<string, { charged: number; kl: number }[]>();
  let real: Awaited<ReturnType<typeof realModel>>;
  let tokenClasses: Uint8Array;
  beforeAll(async () => {
    real = await realModel('graph');
    tokenClasses = await realTokenClasses();
  }, 180_000);

  const newEngine = (): Engine =>
    new Engine({
      model: real.model,
      modelId: 'golden',
      backend: { name: real.backend.name, description: '' },
      fingerprint,
      generation: 'golden',
      maxKvBytes: 2 ** 31,
      chunkTokens: 256,
      sharedChunkTokens: 400,
      scheduler: 'fifo',
      maxRunning: 4,
      onFault: (error) => {
        throw error;
      },
    });

  async function measure(c: PlannedCase): Promise<void> {
    const engine = newEngine();
    const segments: string[] = [];
    for (const tokens of c.donors) {
      const { stored } = await collect(engine.generate(requestOf(tokens), never));
      segments.push(stored!.segment);
    }
    await collect(engine.generate(requestOf(c.target, { store: false }), never));
    const full = softmax(real.model.lastLogits);
    for (const [name, options] of Object.entries(policies)) {
      const { plan, outcome } = planCase(c, segments, { tokenClasses, fingerprint }, options);
      if (outcome !== 'reused') continue;
      const request = requestOf(c.target, { plan, store: false });
      const { receipt } = await collect(engine.generate(request, never));
      expect(receipt.degraded).toBeNull();
      const kl = divergence(full, softmax(real.model.lastLogits));
      rows.set(name, [...(rows.get(name) ?? []), { charged: receipt.chargedRecompute, kl }]);
    }
    await engine.close();
  }

  it('come closer to full prefill than placeholder, and stay under a half of its work', async () => {
    for (const c of cases) await measure(c);
    const mean = (name: string, of: 'kl' | 'charged'): number => {
      const all = rows.get(name)!;
      return all.reduce((sum, row) => sum + row[of], 0) / all.length;
    };
    expect(rows.get('placeholder')!.length).toBeGreaterThan(10);
    for (const name of ['cacheblend', 'dhd', 'queryAttention']) {
      expect(mean(name, 'kl')).toBeLessThan(0.9 * mean('placeholder', 'kl'));
      expect(mean(name, 'charged')).toBeGreaterThan(mean('placeholder', 'charged'));
      expect(mean(name, 'charged')).toBeLessThan(0.5);
    }
  }, 300_000);
});
