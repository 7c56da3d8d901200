// `kvshare bench load`.
import { formatLoad, runLoad } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { countOf, countsOf, defineSuite, withProgress } from './suite.ts';

const flags = {
  trace: { type: 'string' },
  requests: { type: 'string', default: '48' },
  concurrency: { type: 'string', default: '1,4,8' },
  backend: { type: 'string', default: 'auto' },
  model: { type: 'string' },
  'kv-bytes': { type: 'string', default: '2GiB' },
} as const;

const NEW_TOKENS = 16;

export const load = defineSuite(flags, async (values) => {
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
