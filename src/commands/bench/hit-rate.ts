// `kvshare bench hit-rate`.
import { formatHitRate, runHitRate } from '../../bench/index.ts';
import { readSettings } from '../../config.ts';
import { KvShareError } from '../../errors.ts';
import { policyNames } from '../../protocol/index.ts';
import { VectorIndexes } from '../../vectors/index.ts';
import { openEmbedder } from '../open-embedder.ts';
import { provisionModel, provisionTokenizer } from '../provision.ts';
import { defineSuite, listOf, oneOf, withProgress } from './suite.ts';

const flags = {
  trace: { type: 'string', multiple: true },
  policies: { type: 'string', default: 'exact,edit-closure' },
  share: { type: 'string', default: 'private' },
  'no-fallback': { type: 'boolean', default: false },
  embedder: { type: 'string', default: 'word-llama' },
} as const;

export const hitRate = defineSuite(flags, async (values) => {
  const traces = values.trace;
  if (!traces) throw new KvShareError('config_invalid', 'bench hit-rate needs --trace FILE.');
  const settings = readSettings([]);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const embedder = await openEmbedder({
    settings: {
      kind: oneOf(values.embedder, ['word-llama', 'model-rows', 'off'], '--embedder'),
      file: null,
    },
    cacheDir: settings.cacheDir,
    model,
    tokenizer,
    onFallback: () => undefined,
  });
  const vectors = embedder && new VectorIndexes({ dimension: embedder.dimension });
  const report = await withProgress((onProgress) =>
    runHitRate({
      traces,
      policies: listOf(values.policies, policyNames, '--policies'),
      share: oneOf(values.share, ['private', 'group', 'public', 'all'], '--share'),
      fallbacks: !values['no-fallback'],
      tokenizer,
      meaning: embedder && vectors && { embedder, vectors },
      onProgress,
    }),
  );
  await vectors?.close();
  return { report, table: formatHitRate(report) };
});
