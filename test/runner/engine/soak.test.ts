// Thousands of requests of several scopes at once, with imports, extras, aborts at any moment and a store
// that must evict all the time: memory stays flat, every tensor is accounted for, nobody is forgotten.
// 150 on the portable backend; with KVSHARE_FULL=1 15,000 on TensorFlow's own, and the process's memory, too (N3).
import { expect, it } from '@jest/globals';
import { collectGarbage } from '../../../src/runner/collect-garbage.ts';
import type { GenerateRequest, ReusePlan, StoredContext } from '../../../src/protocol/index.ts';
import { seededRandom } from '../../../src/runner/engine/sampler.ts';
import { topUpOf } from '../../support/extra-plans.ts';
import { planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';

const FULL = process.env['KVSHARE_FULL'] === '1';
const REQUESTS = FULL ? 15_000 : 150;
/** Until caches of kernels, compiled code and the allocator are full. */
const WARM_UP = FULL ? 5_000 : 0;
/** Between two of them nothing runs, and everything is counted. */
const WAVES = FULL ? 30 : 3;
const AT_ONCE = 8;
const KV_BYTES = 2 ** 19;
const EXTRAS: Partial<ReusePlan>[] = [
  {},
  {},
  {},
  { topUp: topUpOf('v-deviation', 0.2) },
  { topUp: topUpOf('query-attention', 0.2), decodeRefresh: 2 },
  { fullLayers: 1 },
];

/** By least squares, of numbers that are as far apart. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const spread = values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  return values.reduce((sum, value, i) => sum + (i - middle) * value, 0) / spread;
}

const title = `serves ${REQUESTS} requests over a store in %s with aborts and evictions, memory flat, tensors exact`;

it.each(['fp32', 'bf16'] as const)(
  title,
  async (hostFormat) => {
    const { engine, tf } = await tinyEngine({
      native: FULL,
      chunkTokens: 16,
      sharedChunkTokens: 8,
      maxKvBytes: KV_BYTES,
      tiers: { hostBytes: KV_BYTES, hostFormat },
    });
    const random = seededRandom(7);
    const below = (limit: number): number => Math.floor(random() * limit);
    const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
    const stored: StoredContext[] = [];
    const segments = new Set<string>();
    const bases = Array.from({ length: 6 }, () =>
      Array.from({ length: 48 }, () => below(TINY_VOCABULARY)),
    );

    const newRequest = (): GenerateRequest => {
      const scope = pick(['a', 'b']);
      const donor = below(3) > 0 ? pick([undefined, ...stored]) : undefined;
      const common = {
        scope: donor?.scope ?? scope,
        owner: pick(['x', 'y', null]),
        store: below(4) > 0,
        sampling: { maxTokens: 1 + below(6), temperature: pick([0, 1]), seed: below(1000) },
      };
      const head = Array.from({ length: below(9) }, () => below(TINY_VOCABULARY));
      if (!donor || donor.exactTokens < 12) return requestOf([...head, ...pick(bases)], common);
      const length = 8 + below(donor.exactTokens - 8);
      const tokens = [...head, ...donor.tokens.slice(0, length), ...head, below(TINY_VOCABULARY)];
      const entry = {
        segment: donor.segment,
        donorStart: 0,
        targetStart: head.length,
        length,
        exact: head.length === 0,
      };
      const plan = { ...planOf(tokens.length, [entry], [], FINGERPRINT), ...pick(EXTRAS) };
      return requestOf(tokens, { ...common, plan });
    };

    const ends = new Map<string, number>();
    const ask = async (): Promise<void> => {
      const abort = new AbortController();
      // Some leave at once, some after an event, most stay.
      const patience = pick([0, 1, 2, 3, ...new Array<number>(8).fill(Infinity)]);
      if (patience === 0) abort.abort();
      let seen = 0;
      let last = '';
      for await (const event of engine.generate(newRequest(), abort.signal)) {
        if (event.type === 'stored') {
          stored.push(event.context);
          segments.add(event.context.segment);
        }
        if (++seen >= patience) abort.abort();
        last = event.type === 'end' ? event.reason : event.type;
      }
      ends.set(last, (ends.get(last) ?? 0) + 1);
      if (stored.length > 60) stored.splice(0, 30);
    };

    const resident: number[] = [];
    let left = REQUESTS;
    const baseline = tf.memory();
    for (let wave = 1; wave <= WAVES; wave++) {
      const until = Math.round(REQUESTS * (1 - wave / WAVES));
      const client = async (): Promise<void> => {
        while (left > until) {
          left--;
          await ask();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, client));
      await engine.store.settled();
      engine.store.checkIntegrity();
      expect(tf.memory().numTensors).toBe(baseline.numTensors + engine.store.numTensors);
      expect(tf.memory().numBytes).toBe(baseline.numBytes + engine.store.bytes);
      expect(engine.store.bytes).toBeLessThanOrEqual(KV_BYTES);
      expect(engine.store.info.runningBytes).toBe(0);
      expect((await engine.info()).requests).toEqual({ running: 0, waiting: 0 });
      collectGarbage();
      resident.push(process.memoryUsage.rss() / 2 ** 20);
    }
    expect([...ends.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
    expect([...ends.keys()].sort()).toEqual(['cancelled', 'length']);
    expect(ends.get('cancelled')!).toBeGreaterThan(REQUESTS / 10);
    expect(engine.store.info.tiers!.pages.lost).toBeGreaterThan(0);
    if (FULL) {
      expect(engine.store.size).toBeLessThan(segments.size / 2);
      const perWave = REQUESTS / WAVES;
      const slope = slopeOf(resident.slice(WARM_UP / perWave)) * (1_000 / perWave);
      const shown = resident.map((mib) => mib.toFixed(1)).join(' ');
      process.stdout.write(`${hostFormat}: ${shown} MiB; ${slope.toFixed(3)} MiB per 1,000\n`);
      expect(slope).toBeLessThan(1);
    }
    engine.store.clear();
    expect(tf.memory().numTensors).toBe(baseline.numTensors);
    await engine.close();
  },
  3_600_000,
);
