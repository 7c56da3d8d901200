// `kvshare bench ttft`.
import { formatTtft, runTtft, ttftFamilies } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { suites } from '../catalog/index.ts';
import { countOf, countsOf, defineSuite, listOf, withProgress } from './suite.ts';

export const ttft = defineSuite(
  suites.ttft.flags,
  async ({ families, tokens, repeat, backend, model }) => {
    const modelFlag = model === undefined ? [] : ['--model', model];
    const settings = readSettings(['--backend', backend, ...modelFlag]);
    const report = await withProgress((onProgress) =>
      runTtft({
        families: families ? listOf(families, ttftFamilies, '--families') : ttftFamilies,
        tokens: countsOf(tokens, '--tokens'),
        repeat: countOf(repeat, '--repeat'),
        serveArgs: ['--backend', settings.backend, ...modelFlag, '--log-level', 'warn'],
        env: childEnvironment(),
        onProgress,
      }),
    );
    return { report, table: formatTtft(report) };
  },
);
