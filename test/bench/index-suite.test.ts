import { expect, it } from '@jest/globals';
import { formatIndex, runIndexSuite } from '../../src/bench/index.ts';

it('measures look-ups that find what is there', async () => {
  const report = await runIndexSuite({
    donors: [40, 80],
    tokensPerDonor: 800,
    lookups: 10,
    onProgress: () => undefined,
  });
  expect(report.runs.map(({ donors }) => donors)).toEqual([40, 80]);
  for (const run of report.runs) {
    expect(run.passages).toBe(5 * run.donors);
    expect(run.found).toBe(1);
    expect(run.lookupMs.p50).toBeGreaterThan(0);
    expect(run.loopDelayMs.max).toBeGreaterThan(0);
  }
  expect(formatIndex(report).split('\n')).toHaveLength(4);
});
