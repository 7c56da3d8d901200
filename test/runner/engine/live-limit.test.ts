// `--kv-bytes` holds for requests that are being computed, too (security test R16): what is kept leaves first, then
// requests wait for each other, then they are told to come again.
import { expect, it } from '@jest/globals';
import type { GenerateEvent, GenerateRequest } from '../../../src/protocol/index.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';

const never = new AbortController().signal;
const PER_TOKEN = 3 * 2 * 2 * 8 * 4;

const tokensOf = (seed: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i % 5) * seed) % TINY_VOCABULARY);

type Tiny = Awaited<ReturnType<typeof tinyEngine>>;

/** Looks at the store with every pass of the model. */
function watchBytes({ engine, model }: Tiny): { most: number; running: number } {
  const seen = { most: 0, running: 0 };
  const forward = model.forward.bind(model);
  model.forward = (input) => {
    engine.store.checkIntegrity();
    const { bytes, runningBytes = 0 } = engine.store.info;
    seen.most = Math.max(seen.most, bytes + runningBytes);
    seen.running = Math.max(seen.running, runningBytes);
    return forward(input);
  };
  return seen;
}

const answerOf = ({ engine }: Tiny, request: GenerateRequest) =>
  collect(engine.generate(request, never));

async function eventsOf(
  { engine }: Tiny,
  request: GenerateRequest,
  signal = never,
): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of engine.generate(request, signal)) all.push(event);
  return all;
}

it('counts what requests compute, and lets go of what is kept before it is allocated', async () => {
  const tiny = await tinyEngine({ maxKvBytes: 300 * PER_TOKEN });
  const seen = watchBytes(tiny);
  for (const seed of [1, 2, 3, 4]) await answerOf(tiny, requestOf(tokensOf(seed, 60)));
  const kept = tiny.engine.store.size;
  const sampling = { maxTokens: 40 };
  const many = [5, 6, 7, 8].map((seed) =>
    answerOf(tiny, requestOf(tokensOf(seed, 60), { sampling, store: false })),
  );
  const answers = await Promise.all(many);
  expect(answers.map(({ tokens }) => tokens.length)).toEqual([40, 40, 40, 40]);
  expect(seen.most).toBeLessThanOrEqual(300 * PER_TOKEN);
  // Three of them at once, not four.
  expect(seen.running).toBeGreaterThan(2 * 92 * PER_TOKEN);
  expect(tiny.engine.store.size).toBeLessThan(kept);
  expect(tiny.engine.store.info.runningBytes).toBe(0);
  await tiny.engine.close();
});

it('answers the same as with all the memory there is', async () => {
  const [small, large] = [await tinyEngine({ maxKvBytes: 130 * PER_TOKEN }), await tinyEngine()];
  const seen = watchBytes(small);
  const requests = [1, 2, 3, 4, 5, 6].map((seed) =>
    requestOf(tokensOf(seed, 30), { sampling: { maxTokens: 36 } }),
  );
  const [short, long] = await Promise.all(
    [small, large].map((tiny) => Promise.all(requests.map((request) => answerOf(tiny, request)))),
  );
  expect(short!.map(({ tokens }) => tokens)).toEqual(long!.map(({ tokens }) => tokens));
  expect(seen.most).toBeLessThanOrEqual(130 * PER_TOKEN);
  await Promise.all([small.engine.close(), large.engine.close()]);
});

it('sends on after a while who waits for room, and serves who comes when there is some', async () => {
  const tiny = await tinyEngine({ maxKvBytes: 200 * PER_TOKEN, memoryWaitMs: 100 });
  const abort = new AbortController();
  const sampling = { maxTokens: 150 };
  const long = eventsOf(tiny, requestOf(tokensOf(1, 40), { sampling }), abort.signal);
  const late = await eventsOf(tiny, requestOf(tokensOf(2, 40)));
  expect(late).toEqual([expect.objectContaining({ type: 'error', code: 'memory_short' })]);
  abort.abort();
  expect((await long).at(-1)).toMatchObject({ reason: 'cancelled' });
  expect((await answerOf(tiny, requestOf(tokensOf(2, 40)))).end).toBe('length');
  await tiny.engine.close();
});

it('forgets somebody who goes away while waiting for room', async () => {
  const tiny = await tinyEngine({ maxKvBytes: 200 * PER_TOKEN });
  const [running, waiting] = [new AbortController(), new AbortController()];
  const sampling = { maxTokens: 150 };
  const long = eventsOf(tiny, requestOf(tokensOf(1, 40), { sampling }), running.signal);
  const late = eventsOf(tiny, requestOf(tokensOf(2, 40)), waiting.signal);
  setTimeout(() => waiting.abort(), 50);
  expect((await late).at(-1)).toMatchObject({ reason: 'cancelled' });
  expect((await tiny.engine.info()).requests).toEqual({ running: 1, waiting: 0 });
  running.abort();
  await long;
  expect(tiny.engine.store.info.runningBytes).toBe(0);
  await tiny.engine.close();
});

it('says how long a prompt may be, and refuses what could never fit', async () => {
  const tiny = await tinyEngine({ maxKvBytes: 50 * PER_TOKEN });
  expect((await tiny.engine.info()).model.contextLength).toBe(50);
  expect(() => tiny.engine.generate(requestOf(tokensOf(1, 50)), never)).toThrow(
    expect.objectContaining({ code: 'context_length_exceeded' }),
  );
  const most = await answerOf(tiny, requestOf(tokensOf(1, 40), { sampling: { maxTokens: 40 } }));
  expect(most).toMatchObject({ end: 'length', tokens: { length: 10 } });
  await tiny.engine.close();
});

it('keeps what a request imports while it makes room for it', async () => {
  const tiny = await tinyEngine({ maxKvBytes: 170 * PER_TOKEN });
  const donor = (await answerOf(tiny, requestOf(tokensOf(1, 40)))).stored!;
  await answerOf(tiny, requestOf(tokensOf(2, 60)));
  const target = [...donor.tokens.slice(0, 39), ...tokensOf(9, 6)];
  const entry = { segment: donor.segment, donorStart: 0, targetStart: 0, length: 39, exact: true };
  const plan = planOf(45, [entry], [], FINGERPRINT);
  const { receipt } = await answerOf(
    tiny,
    requestOf(target, { plan, sampling: { maxTokens: 40 } }),
  );
  expect(receipt).toMatchObject({ exactTokens: 39, degraded: null });
  await tiny.engine.close();
});

it('goes on when an allocation fails: what is kept leaves first, then the request is sent on', async () => {
  const faults: string[] = [];
  const onFault = (error: unknown): void => void faults.push((error as Error).message);
  const tiny = await tinyEngine({ onFault });
  const { engine, model, tf } = tiny;
  const baseline = tf.memory().numTensors;
  const sampling = { maxTokens: 12 };
  const expected = (await answerOf(tiny, requestOf(tokensOf(1, 20), { sampling }))).tokens;
  for (const seed of [2, 3, 4, 5]) await answerOf(tiny, requestOf(tokensOf(seed, 20)));
  const { size } = engine.store;

  const [forward, decode] = [model.forward.bind(model), model.decode.bind(model)];
  let failures = 0;
  const failing =
    <A, B>(work: (input: A) => B) =>
    (input: A): B => {
      if (failures-- > 0) throw new RangeError('Array buffer allocation failed');
      return work(input);
    };
  model.forward = failing(forward);
  failures = 1;
  const once = await answerOf(tiny, requestOf(tokensOf(1, 20), { sampling }));
  expect(once).toMatchObject({ tokens: expected, end: 'length' });
  expect(engine.store.size).toBeLessThan(size);
  failures = 2;
  const twice = await eventsOf(tiny, requestOf(tokensOf(1, 20), { sampling }));
  expect(twice.at(-1)).toMatchObject({ type: 'error', code: 'memory_short' });

  model.forward = forward;
  model.decode = failing(decode);
  failures = 1;
  const later = await answerOf(tiny, requestOf(tokensOf(1, 20), { sampling }));
  expect(later).toMatchObject({ tokens: expected, end: 'length' });
  model.decode = decode;
  expect(faults).toHaveLength(4);
  engine.store.checkIntegrity();
  engine.store.clear();
  expect(tf.memory().numTensors).toBe(baseline);
  await engine.close();
});
