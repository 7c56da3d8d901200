// `kvshare bench index`.
import { formatIndex, runIndexSuite } from '../../bench/index.ts';
import { countOf, countsOf, defineSuite, withProgress } from './suite.ts';

const flags = {
  donors: { type: 'string', default: '1000,10000,100000' },
  lookups: { type: 'string', default: '300' },
} as const;

export const index = defineSuite(flags, async ({ donors, lookups }) => {
  const report = await withProgress((onProgress) =>
    runIndexSuite({
      donors: countsOf(donors, '--donors'),
      tokensPerDonor: 800,
      lookups: countOf(lookups, '--lookups'),
      onProgress,
    }),
  );
  return { report, table: formatIndex(report) };
});
