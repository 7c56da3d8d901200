// `kvshare replay --trace FILE --policy edit-closure --policy edit-closure,minRun=48`: recorded traffic under each
// variant, so that thresholds come from one's own requests.
import { readFile, writeFile } from 'node:fs/promises';
import { findConfigError } from '../config-schema.ts';
import { readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { parseLine, type RecordedRequest } from '../recording/index.ts';
import {
  needsTexts,
  whatIf,
  type Texts,
  type Variant,
  type VariantReport,
} from '../replay/index.ts';
import { defaultReuse, readReuse } from '../routes/index.ts';
import { withMeaning } from './bench/with-meaning.ts';
import { tools } from './catalog/index.ts';
import { provisionModel, provisionTokenizer } from './provision.ts';

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

/** "48" → 48, "true" → true, "dhd" → "dhd". */
function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** "edit-closure,minRun=48,closure.max=80" → settings, checked like kvshare.yaml. */
export function parseVariant(text: string): Variant {
  const [policy, ...assignments] = text.split(',');
  const settings: Record<string, unknown> = { policy };
  for (const assignment of assignments) {
    const [path = '', value] = assignment.split('=', 2);
    if (value === undefined) throw bad(`--policy ${text}: "${assignment}" is not NAME=VALUE.`);
    const [name = '', inner] = path.split('.', 2);
    if (inner === undefined) settings[name] = parseValue(value);
    else settings[name] = { ...(settings[name] as object), [inner]: parseValue(value) };
  }
  const wrong = findConfigError({ reuse: settings });
  if (wrong !== null) throw bad(`--policy ${text}: ${wrong}`);
  return { name: text, reuse: readReuse(settings, defaultReuse).options };
}

async function readRecording(path: string | undefined): Promise<RecordedRequest[]> {
  if (path === undefined) throw bad('kvshare replay needs --trace FILE, as `record` writes it.');
  const text = await readFile(path, 'utf8').catch(() => {
    throw bad(`The recording ${path} cannot be read.`);
  });
  const lines = text.split('\n').map((line, i) => [line.trim(), i + 1] as const);
  const requests = lines
    .filter(([line]) => line !== '')
    .map(([line, number]) => parseLine(line, `${path}:${number}`));
  if (requests.length === 0) throw bad(`The recording ${path} has no requests.`);
  return requests.sort((a, b) => a.t_ms - b.t_ms);
}

function format(reports: readonly VariantReport[]): string {
  const width = Math.max(8, ...reports.map(({ variant }) => variant.length));
  const head = `${'policy'.padEnd(width)}  hit rate   tokens saved   first token (cold)    why not more`;
  const rows = reports.map((r) => {
    const reasons = Object.entries(r.reasons)
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => `${reason} ${count}`);
    return [
      r.variant.padEnd(width),
      `${(100 * r.hitRate).toFixed(1)} %`.padStart(9),
      `${r.promptTokens - r.recomputedTokens}`.padStart(14),
      `${r.predictedTtftMs.toFixed(0)} ms (${r.coldTtftMs.toFixed(0)} ms)`.padStart(20),
      `  ${reasons.join(', ')}`,
    ].join(' ');
  });
  return [head, ...rows].join('\n');
}

/** Ids of another tokenizer would be other words. */
function checkTokenizer({ tokenClasses }: Texts['tokenizer'], all: readonly RecordedRequest[]) {
  const isOurs = all.every(({ tokens, classes }) =>
    tokens.every((id, i) => tokenClasses[id] === classes[i]),
  );
  if (!isOurs) throw bad('The recording is of another tokenizer; name its model with --model.');
}

/** `run` gets the texts where ids are plain and a variant asks for them. */
async function withTexts<T>(
  requests: readonly RecordedRequest[],
  variants: readonly Variant[],
  values: { readonly model?: string; readonly embedder: string },
  run: (texts: Texts | null) => Promise<T>,
): Promise<T> {
  const asking = variants.find(needsTexts);
  const isPlain = requests.every(({ plain }) => plain);
  if (asking && !isPlain) {
    const why = 'compares texts, and the recording has hashed ids';
    throw bad(`--policy ${asking.name} ${why} (record: { plainTokens: true } keeps them).`);
  }
  if (!isPlain || !variants.some((variant) => needsTexts(variant) || variant.reuse.strict)) {
    return run(null);
  }
  const settings = readSettings(values.model === undefined ? [] : ['--model', values.model]);
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  checkTokenizer(tokenizer, requests);
  const { cacheDir } = settings;
  const match = { name: asking ? values.embedder : 'off', cacheDir, model, tokenizer };
  return withMeaning(match, (meaning) => {
    if (asking && !meaning) throw bad(`--policy ${asking.name} needs an embedder.`);
    return run({ tokenizer, meaning });
  });
}

/** What the numbers of hashed ids do not say. */
const caveat = (variants: readonly Variant[], texts: Texts | null): string =>
  !texts && variants.some(({ reuse }) => reuse.strict)
    ? '\nstrict: hashed ids have no words, so every edit counts as critical here'
    : '';

export async function replayCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools.replay.flags);
  const variants = (values.policy ?? ['exact', 'edit-closure']).map(parseVariant);
  const requests = await readRecording(values.trace);
  const { reports, note } = await withTexts(requests, variants, values, async (texts) => ({
    reports: await whatIf(requests, variants, texts),
    note: caveat(variants, texts),
  }));
  const text = JSON.stringify({ suite: 'replay', variants: reports }, null, 2);
  if (values.out) await writeFile(values.out, `${text}\n`);
  process.stdout.write(`${values.json ? text : format(reports) + note}\n`);
}
