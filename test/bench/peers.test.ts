import { describe, expect, it } from '@jest/globals';
import { readAnswer, readTimings } from '../../src/bench/peers/ask-peer.ts';
import { decodeRate } from '../../src/bench/peers/decode.ts';
import { startLlamaServer } from '../../src/llama-server/index.ts';
import { loadBackend, timeBareProducts } from '../../src/runner/backend/index.ts';

const timings = { cache_n: 36, prompt_n: 803, prompt_ms: 2700.5 };
const event = (at: number, value: object) => ({ at, text: JSON.stringify(value) });
const content = (text: string) => ({ choices: [{ delta: { content: text } }] });

describe('the answer of the peer', () => {
  it('is timed by its first content, and knows what was cached', () => {
    const role = { choices: [{ delta: { role: 'assistant', content: null } }] };
    const end = { choices: [], timings };
    const events = [event(110, role), event(140, content('A')), event(160, content('b'))];
    expect(readAnswer(100, [...events, event(170, end)])).toEqual({
      ...{ ttftMs: 40, cachedTokens: 36, promptTokens: 803, promptMs: 2700.5 },
    });
    expect(() => readAnswer(100, events)).toThrow(/no whole answer/);
    expect(() => readAnswer(100, [event(1, role), event(2, end)])).toThrow(/no whole answer/);
    expect(() => readAnswer(0, [event(1, { error: { message: 'full' } })])).toThrow(/full/);
  });

  it.each([
    {},
    { timings: { ...timings, cache_n: -1 } },
    { timings: { ...timings, cache_n: '3' } },
  ])('is refused with timings like %j', (chunk) => {
    expect(() => readTimings(chunk as object)).toThrow(/what it took from its cache/);
  });
});

describe('decodeRate', () => {
  const every = (ms: number, from: number, count: number) =>
    Array.from({ length: count }, (_, i) => from + i * ms);

  it('counts one stream between its first and its last token', () => {
    expect(decodeRate([every(20, 500, 33)])).toBeCloseTo(50);
  });

  it('counts many only while all of them run', () => {
    // The second begins 300 ms later and both end at 1000: two streams of 50 tokens a second each.
    const rate = decodeRate([every(20, 0, 51), every(20, 300, 36)]);
    expect(rate).toBeCloseTo(100);
    expect(() => decodeRate([every(20, 0, 30), every(20, 1000, 30)])).toThrow(/Only 0 tokens/);
    expect(() => decodeRate([every(20, 0, 30), []])).toThrow(/Only 0 tokens/);
  });
});

it('says why a server did not start', async () => {
  const options = { modelPath: 'm.gguf', slots: 1, contextPerSlot: 64, threads: 1 };
  await expect(startLlamaServer({ ...options, binary: '/nonexistent' })).rejects.toMatchObject({
    code: 'child_failed',
    message: expect.stringContaining('ENOENT'),
  });
  await expect(startLlamaServer({ ...options, binary: '/bin/false' })).rejects.toMatchObject({
    code: 'child_failed',
  });
});

it('times bare products and leaves no tensor behind', async () => {
  const { tf } = await loadBackend({
    requested: 'cpu',
    cacheDir: '/nonexistent',
    allowBuild: false,
  });
  const before = tf.memory().numTensors;
  const sizes = {
    weights: [
      [24, 40],
      [40, 24],
    ],
    head: [24, 50],
    attention: { layers: 2, kvHeads: 2, group: 2, headDim: 8 },
  } as const;
  const many = await timeBareProducts(tf, sizes, { rows: 1024, repeat: 2 });
  const few = await timeBareProducts(tf, sizes, { rows: 8, repeat: 2 });
  expect(few.weightsMs).toBeGreaterThan(0);
  expect(many.weightsMs).toBeGreaterThan(few.weightsMs);
  expect(many.attentionMs).toBeGreaterThan(few.attentionMs);
  expect(tf.memory().numTensors).toBe(before);
});
