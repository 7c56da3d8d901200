// `kvshare bench ttft`.
import { formatTtft, runTtft, ttftFamilies } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { countOf, countsOf, defineSuite, listOf, withProgress } from './suite.ts';

const flags = {
  tokens: { type: 'string', default: '400,800,1600' },
  families: { type: 'string' },
  repeat: { type: 'string', default: '5' },
  backend: { type: 'string', default: 'auto' },
} as const;

export const ttft = defineSuite(flags, async ({ families, tokens, repeat, backend }) => {
  const settings = readSettings(['--backend', backend]);
  const report = await withProgress((onProgress) =>
    runTtft({
      families: families ? listOf(families, ttftFamilies, '--families') : ttftFamilies,
      tokens: countsOf(tokens, '--tokens'),
      repeat: countOf(repeat, '--repeat'),
      serveArgs: ['--backend', settings.backend, '--log-level', 'warn'],
      env: childEnvironment(),
      onProgress,
    }),
  );
  return { report, table: formatTtft(report) };
});
