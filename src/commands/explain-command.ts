// `kvshare explain request.json`: asks a running sidecar what it would reuse for this request, and why not more. The
// prompt comes out coloured token by token.
import { readFile } from 'node:fs/promises';
import { clientKey } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { tools } from './catalog/index.ts';
import { formatExplanation, type Explanation } from './format-explanation.ts';

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

async function readRequest(path: string | undefined): Promise<string> {
  if (path === undefined) throw bad('kvshare explain needs a file with the body of a request.');
  try {
    const text = await readFile(path, 'utf8');
    JSON.parse(text);
    return text;
  } catch {
    throw bad(`${path} cannot be read as JSON.`);
  }
}

async function askSidecar(
  url: string,
  key: string | undefined,
  body: string,
): Promise<Explanation> {
  const headers = {
    'content-type': 'application/json',
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  let answer: Response;
  try {
    answer = await fetch(new URL('/kvshare/plan', url), { method: 'POST', headers, body });
  } catch {
    throw bad(`No sidecar answers at ${url}; start one with kvshare serve, or name it with --url.`);
  }
  const parsed = (await answer.json()) as Explanation & { error?: { message: string } };
  if (!answer.ok) throw bad(parsed.error?.message ?? 'The sidecar refused this.');
  return parsed;
}

export async function explainCommand(argv: readonly string[]): Promise<void> {
  const { values, rest } = parseFlags(argv, tools.explain.flags, 1);
  const body = await readRequest(rest[0]);
  const key = values.key ?? clientKey();
  const explanation = await askSidecar(values.url, key, body);
  const color = values.color ?? process.stdout.isTTY;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(explanation, null, 2)}\n`
      : formatExplanation(explanation, color),
  );
}
