// `kvshare bench load`.
import { formatLoad, runLoad } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { suites } from '../catalog/index.ts';
import { countOf, countsOf, defineSuite, withProgress } from './suite.ts';

const NEW_TOKENS = 16;

export const load = defineSuite(suites.load.flags, async (values) => {
  const { backend } = readSettings(['--backend', values.backend]);
  const model = values.model === undefined ? [] : ['--model', values.model];
  const report = await withProgress((onProgress) =>
    runLoad({
      trace: values.trace ?? null,
      requests: countOf(values.requests, '--requests'),
      concurrency: countsOf(values.concurrency, '--concurrency'),
      maxTokens: NEW_TOKENS,
      serveArgs: [
        ...['--backend', backend, '--kv-bytes', values['kv-bytes'], ...model],
        ...['--log-level', 'warn'],
      ],
      env: childEnvironment(),
      onProgress,
    }),
  );
  return { report, table: formatLoad(report) };
});
