// `kvshare warm FILE…`: has a running sidecar compute guidelines for a tenant, so that its first user finds their KV.
// An ordinary request with that tenant's key, of one token; computed without look-up, so that all of it may serve others.
import { readFile } from 'node:fs/promises';
import { clientKey } from '../config.ts';
import { KvShareError } from '../errors.ts';
import { parseFlags } from '../flags.ts';
import { askSidecar, headersOf } from './ask-sidecar.ts';
import { tools } from './catalog/index.ts';

const bad = (message: string): KvShareError => new KvShareError('config_invalid', message);

interface Warmed {
  readonly file: string;
  readonly tokens: number;
  readonly ms: number;
}

/** As it stands in later prompts: up to the end of the guideline they are the same. */
function messagesOf(text: string, role: string): object[] {
  if (role === 'user') return [{ role, content: text }];
  if (role === 'system')
    return [
      { role, content: text },
      { role: 'user', content: '.' },
    ];
  throw bad(`--as must be system or user, not "${role}".`);
}

async function readGuideline(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw bad(`${file} cannot be read.`);
  });
  if (text.trim() === '') throw bad(`${file} is empty.`);
  return text.trimEnd();
}

async function warm(url: string, key: string, messages: object[]): Promise<number> {
  const headers = headersOf(key);
  headers.set('x-kvshare-cache-control', 'no-cache');
  const body = JSON.stringify({ model: 'default', messages, max_tokens: 1 });
  const { usage } = await askSidecar<{ usage: { prompt_tokens: number } }>(
    url,
    '/v1/chat/completions',
    { headers, body },
  );
  return usage.prompt_tokens;
}

export async function warmCommand(argv: readonly string[]): Promise<void> {
  const { values, rest: positionals } = parseFlags(argv, tools.warm.flags, Infinity);
  const key = values.key ?? clientKey();
  if (positionals.length === 0) throw bad('kvshare warm needs files with texts.');
  if (key === undefined) {
    throw bad('kvshare warm needs --key: what has no tenant is shared with nobody.');
  }
  const warmed: Warmed[] = [];
  for (const file of positionals) {
    const messages = messagesOf(await readGuideline(file), values.as);
    const startedAt = performance.now();
    const tokens = await warm(values.url, key, messages);
    warmed.push({ file, tokens, ms: Math.round(performance.now() - startedAt) });
    const line = `${file}: ${tokens} tokens in ${warmed.at(-1)!.ms} ms\n`;
    if (!values.json) process.stdout.write(line);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(warmed, null, 2)}\n`);
}
