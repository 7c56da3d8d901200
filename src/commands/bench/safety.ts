// `kvshare bench safety`.
import { formatSafety, runSafety } from '../../bench/index.ts';
import { KvShareError } from '../../errors.ts';
import { suites } from '../catalog/index.ts';
import { modelIdOf } from '../../open-model/index.ts';
import { parseVariant } from '../replay-command.ts';
import { openProbe } from './open-probe.ts';
import { defineSuite, withProgress } from './suite.ts';
import { withMeaning } from './with-meaning.ts';

/** A tenth of the full size. */
const tenth = { canaries: '100', pairs: '50', prompts: '10', samples: '20' } as const;
const fullSize = { canaries: '1000', pairs: '500', prompts: '10', samples: '200' } as const;

/** 0 = without this part. */
function sizeOf(text: string, flag: string, least: number): number {
  const size = Number(text);
  if (text.trim() === '' || !Number.isInteger(size) || size < least) {
    throw new KvShareError('config_invalid', `--${flag}: "${text}" is not a number from ${least}.`);
  }
  return size;
}

export const safety = defineSuite(suites.safety.flags, async (values) => {
  const { out } = values as { out?: string };
  const usual = values.full ? fullSize : tenth;
  const size = (flag: keyof typeof usual, least = 0): number =>
    sizeOf(values[flag] ?? usual[flag], flag, least);
  const sizes = {
    ...{ canaries: size('canaries'), pairs: size('pairs'), prompts: size('prompts') },
    samples: size('samples', 2),
  };
  const seed = sizeOf(values.seed, 'seed', 0);
  const variants = (values.variant ?? [])
    .map(parseVariant)
    .map(({ name, reuse }) => ({ name, options: reuse }));
  const { cacheDir, model, tokenizer, prober } = await openProbe(values);
  const report = await withMeaning({ name: 'word-llama', cacheDir, model, tokenizer }, (meaning) =>
    withProgress((onProgress) =>
      runSafety({
        ...{ ...sizes, seed, variants, tokenizer, prober, meaning: meaning!, onProgress },
        model: modelIdOf(model.path),
        partialPath: out === undefined ? null : `${out}.partial.jsonl`,
      }),
    ),
  );
  return { report, table: formatSafety(report) };
});
