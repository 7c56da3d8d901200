// The parts of `bench load` on a real sidecar before the tiny engine; the whole suite with its processes is run by
// bench.model.test.ts.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { againstFifo } from '../../src/bench/load/against-fifo.ts';
import { replayClosedLoop } from '../../src/bench/load/closed-loop.ts';
import { summarise } from '../../src/bench/load/load-run.ts';
import type { Served } from '../../src/bench/load/served.ts';
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
    const loop = { url: tiny.url, trace, concurrency: 2, maxTokens: 3, reuse };
    const onAnswer = (): void => {
      answered++;
    };
    return replayClosedLoop({ ...loop, onAnswer });
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

  it('takes no receipts that do not add up', () => {
    expect(() => summarise(on!, 'off')).toThrow(/reuse off: a receipt/);
    const lost = on!.answers.map((answer) => ({
      ...answer,
      recomputedTokens: 0,
      importedTokens: 0,
    }));
    expect(() => summarise({ ...on!, answers: lost }, 'on')).toThrow(/reuse on: a receipt/);
  });

  it('says what requests would have waited in order of arrival', () => {
    const served = (...visits: readonly [sentMs: number, firstTokenMs: number][]) =>
      ({
        sentMs: visits.map(([sentMs]) => sentMs),
        answers: visits.map(([sentMs, firstTokenMs]) => {
          return { ttftMs: firstTokenMs - sentMs, timings: { waitedMs: 5 } };
        }),
      }) as unknown as Served;
    // The first is being computed when a long one and a short one come; the short one goes first.
    const { fifoTtftMeanMs, waitRatioMax, longestWait } = againstFifo(
      served([0, 105], [10, 325], [20, 125]),
    );
    // It is busy with them for 100, 200 and 20 ms, so in order of arrival they have their tokens at 105, 305 and 325.
    expect(longestWait).toEqual({ request: 1, fifoMs: 295, ms: 315 });
    expect(waitRatioMax).toBeCloseTo(315 / 295);
    expect(fifoTtftMeanMs).toBeCloseTo((105 + 295 + 305) / 3);
    // In order of arrival already, with others in between or not: nobody waits for anybody.
    expect(againstFifo(served([0, 100], [1, 180], [150, 260]))).toMatchObject({
      ...{ waitRatioMax: 1, waitRatioP95: 1, fifoTtftMeanMs: (100 + 179 + 110) / 3 },
    });
    expect(on!.answers.every(({ timings }) => timings.waitedMs >= 0)).toBe(true);
    // Nobody waits for anybody.
    expect(againstFifo(served([0, 15], [50, 65])).waitRatioMax).toBe(1);
  });
});
