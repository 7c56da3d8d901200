// `kvshare bench hit-rate`.
import { formatHitRate, runHitRate } from '../../bench/index.ts';
import { readSettings } from '../../config.ts';
import { KvShareError } from '../../errors.ts';
import { policyNames } from '../../protocol/index.ts';
import { suites } from '../catalog/index.ts';
import { provisionModel, provisionTokenizer } from '../provision.ts';
import { defineSuite, listOf, oneOf, withProgress } from './suite.ts';
import { withMeaning } from './with-meaning.ts';

export const hitRate = defineSuite(suites['hit-rate'].flags, async (values) => {
  const traces = values.trace;
  if (!traces) throw new KvShareError('config_invalid', 'bench hit-rate needs --trace FILE.');
  const settings = readSettings([]);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const where = { cacheDir: settings.cacheDir, model, tokenizer };
  const report = await withMeaning({ name: values.embedder, ...where }, (meaning) =>
    withProgress((onProgress) =>
      runHitRate({
        traces,
        policies: listOf(values.policies, policyNames, '--policies'),
        share: oneOf(values.share, ['private', 'group', 'public', 'all'], '--share'),
        fallbacks: !values['no-fallback'],
        tokenizer,
        meaning,
        onProgress,
      }),
    ),
  );
  return { report, table: formatHitRate(report) };
});
