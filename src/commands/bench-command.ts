// `kvshare bench SUITE --out FILE`: runs one suite, writes its JSON, prints its table.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import {
  formatHitRate,
  formatIndex,
  formatTtft,
  runHitRate,
  runIndexSuite,
  runTtft,
  ttftFamilies,
} from '../bench/index.ts';
import { childEnvironment, readSettings } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import { policyNames } from '../protocol/index.ts';
import { loadTokenizer } from '../tokenizer/index.ts';
import { VectorIndexes } from '../vectors/index.ts';
import { openEmbedder } from './open-embedder.ts';
import { progressPrinter } from './progress.ts';
import { provisionModel } from './provision.ts';

const options = {
  out: { type: 'string' },
  tokens: { type: 'string', default: '400,800,1600' },
  families: { type: 'string' },
  repeat: { type: 'string', default: '5' },
  trace: { type: 'string', multiple: true },
  policies: { type: 'string', default: 'exact,edit-closure' },
  share: { type: 'string', default: 'private' },
  'no-fallback': { type: 'boolean', default: false },
  backend: { type: 'string', default: 'auto' },
  donors: { type: 'string', default: '1000,10000,100000' },
  embedder: { type: 'string', default: 'word-llama' },
  lookups: { type: 'string', default: '300' },
} as const;

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

function oneOf<T extends string>(text: string, known: readonly T[], flag: string): T {
  const found = known.find((name) => name === text);
  if (found === undefined) throw bad(`${flag}: "${text}" is not one of ${known.join(', ')}.`);
  return found;
}

const list = <T extends string>(text: string, known: readonly T[], flag: string): T[] =>
  text.split(',').map((item) => oneOf(item.trim(), known, flag));

function counts(text: string, flag: string): number[] {
  const numbers = text.split(',').map(Number);
  if (!numbers.every((n) => Number.isInteger(n) && n > 0)) throw bad(`${flag}: "${text}".`);
  return numbers;
}

type Values = ReturnType<typeof readValues>;

function readValues(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    throw bad((error as Error).message);
  }
}

async function ttft(values: Values): Promise<[object, string]> {
  const settings = readSettings(['--backend', values.backend]);
  const progress = progressPrinter(process.stderr);
  const report = await runTtft({
    families: values.families ? list(values.families, ttftFamilies, '--families') : ttftFamilies,
    tokens: counts(values.tokens, '--tokens'),
    repeat: counts(values.repeat, '--repeat')[0]!,
    serveArgs: ['--backend', settings.backend, '--log-level', 'warn'],
    env: childEnvironment(),
    onProgress: (done, total, label) => progress.step({ phase: `[${done}/${total}] ${label}` }),
  });
  progress.end();
  return [report, formatTtft(report)];
}

async function hitRate(values: Values): Promise<[object, string]> {
  if (!values.trace) throw bad('bench hit-rate needs --trace FILE.');
  const model = await provisionModel(readSettings([]));
  const file = await openGguf(model.path);
  const tokenizer = loadTokenizer(file);
  await file.close();
  const progress = progressPrinter(process.stderr);
  const embedder = await openEmbedder({
    settings: {
      kind: oneOf(values.embedder, ['word-llama', 'model-rows', 'off'], '--embedder'),
      file: null,
    },
    cacheDir: readSettings([]).cacheDir,
    model,
    tokenizer,
    onFallback: () => undefined,
  });
  const vectors = embedder && new VectorIndexes({ dimension: embedder.dimension });
  const report = await runHitRate({
    traces: values.trace,
    policies: list(values.policies, policyNames, '--policies'),
    share: oneOf(values.share, ['private', 'group', 'public', 'all'], '--share'),
    fallbacks: !values['no-fallback'],
    tokenizer,
    meaning: embedder && vectors && { embedder, vectors },
    onProgress: (done, total, label) => progress.step({ phase: `[${done}/${total}] ${label}` }),
  });
  await vectors?.close();
  progress.end();
  return [report, formatHitRate(report)];
}

async function index(values: Values): Promise<[object, string]> {
  const progress = progressPrinter(process.stderr);
  const report = await runIndexSuite({
    donors: counts(values.donors, '--donors'),
    tokensPerDonor: 800,
    lookups: counts(values.lookups, '--lookups')[0]!,
    onProgress: (done, total, label) => progress.step({ phase: `[${done}/${total}] ${label}` }),
  });
  progress.end();
  return [report, formatIndex(report)];
}

const suites = { ttft, 'hit-rate': hitRate, index };

export async function benchCommand(argv: readonly string[]): Promise<void> {
  const [name = '', ...rest] = argv;
  const suite = oneOf(name, Object.keys(suites) as (keyof typeof suites)[], 'bench');
  const values = readValues(rest);
  const [report, table] = await suites[suite](values);
  if (values.out) await writeFile(values.out, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(`${table}\n`);
}
