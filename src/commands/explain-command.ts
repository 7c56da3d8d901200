// `kvshare explain request.json`: asks a running sidecar what it would reuse for this request, and why not more. The
// prompt comes out coloured token by token.
import { readFile } from 'node:fs/promises';
import { clientKey } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { askSidecar, headersOf } from './ask-sidecar.ts';
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

/** Routes are matched by headers, too; which of those the client sends is not in the body. */
function readHeaders(given: readonly string[], key: string | undefined): Headers {
  const headers = headersOf(key);
  for (const text of given) {
    const [name = '', ...value] = text.split(':');
    if (value.length === 0) throw bad(`--header ${text} is not NAME:VALUE.`);
    try {
      headers.set(name.trim(), value.join(':').trim());
    } catch {
      throw bad(`--header ${text} cannot be sent.`);
    }
  }
  return headers;
}

export async function explainCommand(argv: readonly string[]): Promise<void> {
  const { values, rest } = parseFlags(argv, tools.explain.flags, 1);
  const body = await readRequest(rest[0]);
  const headers = readHeaders(values.header ?? [], values.key ?? clientKey());
  const request = { headers, body };
  const explanation = await askSidecar<Explanation>(values.url, '/kvshare/plan', request);
  const color = values.color ?? process.stdout.isTTY;
  process.stdout.write(
    values.json
      ? `${JSON.stringify(explanation, null, 2)}\n`
      : formatExplanation(explanation, color),
  );
}
