// `kvshare bench index`.
import { formatIndex, runIndexSuite } from '../../bench/index.ts';
import { suites } from '../catalog/index.ts';
import { countOf, countsOf, defineSuite, withProgress } from './suite.ts';

export const index = defineSuite(suites.index.flags, async ({ donors, lookups }) => {
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
