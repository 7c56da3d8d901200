// `kvshare bench quality`.
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  builtInCases,
  formatQuality,
  limitByFamily,
  paretoSvg,
  qualityMarkdown,
  readCases,
  runQuality,
  type PolicyVariant,
} from '../../bench/index.ts';
import { KvShareError } from '../../errors.ts';
import { policyNames } from '../../protocol/index.ts';
import { optionsOf } from '../../reuse/index.ts';
import { modelIdOf } from '../../open-model/index.ts';
import { suites } from '../catalog/index.ts';
import { parseVariant } from '../replay-command.ts';
import { openProbe } from './open-probe.ts';
import { countOf, defineSuite, listOf, withProgress } from './suite.ts';
import { withMeaning } from './with-meaning.ts';

async function casesOf(values: { cases?: string; families?: string; limit?: string }) {
  const all = values.cases === undefined ? builtInCases : await readCases(values.cases);
  const known = [...new Set(all.map(({ family }) => family))];
  const wanted = values.families ? listOf(values.families, known, '--families') : known;
  const cases = all.filter(({ family }) => wanted.includes(family));
  return values.limit ? limitByFamily(cases, countOf(values.limit, '--limit')) : cases;
}

function policiesOf(names: string, variants: readonly string[] = []): PolicyVariant[] {
  const policies = [
    ...listOf(names, policyNames, '--policies').map((name) => ({ name, options: optionsOf(name) })),
    ...variants.map(parseVariant).map(({ name, reuse }) => ({ name, options: reuse })),
  ];
  if (new Set(policies.map(({ name }) => name)).size < policies.length) {
    throw new KvShareError('config_invalid', '--policies or --variant names a policy twice.');
  }
  return policies;
}

/** The report as a page with its plot, beside the JSON. */
async function writePage(out: string, report: Awaited<ReturnType<typeof runQuality>>) {
  const base = out.replace(/\.json$/, '');
  await writeFile(`${base}.svg`, paretoSvg(report.pareto));
  await writeFile(`${base}.md`, qualityMarkdown(report, `${basename(base)}.svg`));
}

export const quality = defineSuite(suites.quality.flags, async (values) => {
  const { out } = values as { out?: string };
  const [cases, policies] = [await casesOf(values), policiesOf(values.policies, values.variant)];
  const { cacheDir, model, tokenizer, prober } = await openProbe(values);
  const where = { cacheDir, model, tokenizer };
  const report = await withMeaning({ name: values.embedder, ...where }, (meaning) =>
    withProgress((onProgress) =>
      runQuality({
        ...{ cases, policies, tokenizer, prober, meaning, onProgress },
        model: modelIdOf(model.path),
        partialPath: out === undefined ? null : `${out}.partial.jsonl`,
      }),
    ),
  );
  if (out !== undefined) await writePage(out, report);
  return { report, table: formatQuality(report) };
});
