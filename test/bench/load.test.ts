// The parts of `bench load` on a real sidecar before the tiny engine; the whole suite with its processes is run by
// bench.model.test.ts.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { replayArrivals, replayClosedLoop } from '../../src/bench/load/replay-trace.ts';
import { summarise, type Served } from '../../src/bench/load/load-run.ts';
import { compareWaits } from '../../src/bench/load/wait-ratio.ts';
import type { TraceRequest } from '../../src/bench/trace-file.ts';
import { serveTiny } from '../support/served.ts';

const rules = Array.from({ length: 4 }, (_, i) => `Rule ${i} of ward ${i * 7} is read aloud.`);

const request = (at: number, tenant: string, content: string): TraceRequest => ({
  ...{ id: `r${at}`, t_ms: at, tenant, user: `${tenant}/ann`, relation: 'unknown', donors: [] },
  messages: [{ role: 'user', content }],
});
const trace = [
  request(0, 'north', `Card of Ann.\n${rules.join('\n')}\nWhat now?`),
  request(1, 'south', `Short.`),
  request(2, 'north', `The card of Benjamin.\n${rules.join('\n')}\nWhat now?`),
  request(3, 'north', `Card of Ann.\n${rules.join('\n')}\nAnd then?`),
];

let tiny: Awaited<ReturnType<typeof serveTiny>>;
const tenants = ['north', 'south'].map((name) => ({ name, keys: [`key-${name}`] }));
beforeAll(async () => {
  tiny = await serveTiny({ tenants });
});
afterAll(() => tiny.close());

let [off, on]: Served[] = [];
let answered = 0;
beforeAll(async () => {
  const replay = (reuse: 'on' | 'off') => {
    const loop = { url: tiny.url, trace, maxTokens: 3, reuse };
    const onAnswer = (): void => {
      answered++;
    };
    return replayClosedLoop({ ...loop, onAnswer }, 2);
  };
  off = await replay('off');
  on = await replay('on');
});

describe('bench load', () => {
  it('answers every request once, in order, without reuse and with it', () => {
    expect(answered).toBe(2 * trace.length);
    const cold = summarise(off!, 'off');
    expect(cold).toMatchObject({ hitRate: 0, outcomes: { cold: 4 } });
    expect(off!.answers[1]!.promptTokens).toBeLessThan(off!.answers[0]!.promptTokens);
    expect(cold.promptTokensPerSecond / cold.requestsPerSecond).toBeCloseTo(cold.promptTokens / 4);
    // Nothing was kept: the first request with reuse is cold as well.
    expect(on!.answers[0]!.outcome).toBe('cold');
    const warm = summarise(on!, 'on');
    expect(warm.hitRate).toBeGreaterThan(0.2);
    expect(warm.promptTokens).toBe(cold.promptTokens);
  });

  it('sends requests again when they were sent, not when others are answered', async () => {
    const sentMs = [0, 10, 300, 20];
    const again = await replayArrivals(
      { url: tiny.url, trace, maxTokens: 3, reuse: 'on', onAnswer: () => undefined },
      sentMs,
    );
    expect(again.answers.map(({ promptTokens }) => promptTokens)).toEqual(
      on!.answers.map(({ promptTokens }) => promptTokens),
    );
    again.sentMs.forEach((ms, at) => expect(ms - sentMs[at]!).toBeGreaterThan(-2));
    expect(Math.max(...again.sentMs)).toBe(again.sentMs[2]);
    // Of the closed loop: two at once, the others when these are answered.
    const [a, b, ...later] = on!.sentMs;
    expect(Math.max(a!, b!)).toBeLessThan(Math.min(...later));
  });

  it('takes no receipts that do not add up', () => {
    expect(() => summarise(on!, 'off')).toThrow(/reuse off: a receipt/);
    const lost = on!.answers.map((answer) => ({
      ...answer,
      recomputedTokens: 0,
      importedTokens: 0,
    }));
    expect(() => summarise({ ...on!, answers: lost }, 'on')).toThrow(/reuse on: a receipt/);
  });

  it('compares each request with itself', () => {
    const served = (...ttft: number[]) =>
      ({ answers: ttft.map((ttftMs) => ({ ttftMs })) }) as unknown as Served;
    expect(compareWaits(served(100, 400, 10), served(50, 900, 10))).toMatchObject({
      ttftMeanMs: { fifo: 170, reuseAware: 320 },
      waitRatioMax: 2.25,
      longestWait: { request: 1, fifoMs: 400, reuseAwareMs: 900 },
    });
  });
});
