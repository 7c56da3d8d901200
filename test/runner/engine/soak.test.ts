// Thousands of requests of several scopes at once, with imports, extras, aborts at any moment and a store
// that must evict all the time: memory stays flat, every tensor is accounted for, nobody is forgotten.
import { expect, it } from '@jest/globals';
import type { GenerateRequest, ReusePlan, StoredContext } from '../../../src/protocol/index.ts';
import { seededRandom } from '../../../src/runner/engine/sampler.ts';
import { topUpOf } from '../../support/extra-plans.ts';
import { planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';

const REQUESTS = process.env['KVSHARE_FULL'] === '1' ? 10_000 : 300;
const AT_ONCE = 8;
const EXTRAS: Partial<ReusePlan>[] = [
  {},
  {},
  {},
  { topUp: topUpOf('v-deviation', 0.2) },
  { topUp: topUpOf('query-attention', 0.2), decodeRefresh: 2 },
  { fullLayers: 1 },
];

it(`serves ${REQUESTS} requests with aborts and evictions, memory flat, tensors exact`, async () => {
  const { engine, tf } = await tinyEngine({
    chunkTokens: 16,
    sharedChunkTokens: 8,
    maxKvBytes: 2 ** 19,
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

  const heap: number[] = [];
  let left = REQUESTS;
  const baseline = tf.memory().numTensors;
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const until = Math.round(REQUESTS * (1 - share));
    const client = async (): Promise<void> => {
      while (left > until) {
        left--;
        await ask();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    // Between two waves nothing runs: what is left belongs to the store.
    engine.store.checkIntegrity();
    expect(tf.memory().numTensors).toBe(baseline + engine.store.numTensors);
    expect(engine.store.bytes).toBeLessThanOrEqual(2 ** 19);
    expect((await engine.info()).requests).toEqual({ running: 0, waiting: 0 });
    heap.push(tf.memory().numBytes);
  }
  expect([...ends.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
  expect([...ends.keys()].sort()).toEqual(['cancelled', 'length']);
  expect(ends.get('cancelled')!).toBeGreaterThan(REQUESTS / 10);
  expect(engine.store.size).toBeLessThan(segments.size / 2);
  expect(heap.at(-1)! - heap[0]!).toBeLessThanOrEqual(2 ** 19);
  engine.store.clear();
  expect(tf.memory().numTensors).toBe(baseline);
  await engine.close();
}, 3_600_000);
