// `kvshare replay --trace FILE --policy edit-closure --policy edit-closure,minRun=48`: recorded traffic under each
// variant, so that thresholds come from one's own requests.
import { readFile, writeFile } from 'node:fs/promises';
import { findConfigError } from '../config-schema.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { parseLine, type RecordedRequest } from '../recording/index.ts';
import { whatIf, type Variant, type VariantReport } from '../replay/index.ts';
import { defaultReuse, readReuse } from '../routes/index.ts';
import { tools } from './catalog/index.ts';

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

export async function replayCommand(argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(argv, tools.replay.flags);
  const variants = (values.policy ?? ['exact', 'edit-closure']).map(parseVariant);
  const requests = await readRecording(values.trace);
  const reports = await whatIf(requests, variants);
  const text = JSON.stringify({ suite: 'replay', variants: reports }, null, 2);
  if (values.out) await writeFile(values.out, `${text}\n`);
  process.stdout.write(`${values.json ? text : format(reports)}\n`);
}
