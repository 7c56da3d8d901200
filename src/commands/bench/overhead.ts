// `kvshare bench overhead`.
import { formatOverhead, runOverhead } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { suites } from '../catalog/index.ts';
import { provisionModel, provisionTokenizer } from '../provision.ts';
import { openBypassingApps } from './bypassing-apps.ts';
import { countOf, defineSuite, withProgress } from './suite.ts';

export const overhead = defineSuite(suites.overhead.flags, async ({ requests }) => {
  const tokenizer = await provisionTokenizer(await provisionModel(readSettings([])));
  const report = await withProgress((onProgress) =>
    runOverhead({
      requests: countOf(requests, '--requests'),
      tokenizer,
      sidecarArgs: ['--log-level', 'warn'],
      env: childEnvironment(),
      openBypassingApps: () => openBypassingApps(tokenizer),
      onProgress,
    }),
  );
  return { report, table: formatOverhead(report) };
});
