// `kvshare bench adapters`.
import { availableParallelism } from 'node:os';
import { contestantNames, formatAdapters, runAdapters } from '../../bench/index.ts';
import { childEnvironment, readSettings } from '../../config.ts';
import { suites } from '../catalog/index.ts';
import { provisionModel, provisionTokenizer } from '../provision.ts';
import { llamaServerOf } from './llama-server.ts';
import { countOf, defineSuite, listOf, withProgress } from './suite.ts';

const NEW_TOKENS = 2;

export const adapters = defineSuite(suites.adapters.flags, async (values) => {
  const settings = readSettings(values.model === undefined ? [] : ['--model', values.model]);
  const llamaServer = await llamaServerOf(values['llama-server'], settings.cacheDir);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const report = await withProgress((onProgress) =>
    runAdapters({
      llamaServer,
      modelPath: model.path,
      threads: availableParallelism(),
      slots: countOf(values.slots, '--slots'),
      contextPerSlot: countOf(values['context-per-slot'], '--context-per-slot'),
      maxMiB: countOf(values['max-mib'], '--max-mib'),
      trace: values.trace ?? null,
      requests: countOf(values.requests, '--requests'),
      maxTokens: NEW_TOKENS,
      contestants: listOf(values.contestants, contestantNames, '--contestants'),
      tokenizer,
      env: childEnvironment(),
      onProgress,
    }),
  );
  return { report, table: formatAdapters(report) };
});
