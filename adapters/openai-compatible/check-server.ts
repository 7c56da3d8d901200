// Before the first request: does the server take token ids, count them as we do, and keep tenants apart? Asked by trying.
import { randomBytes } from 'node:crypto';
import { KvShareError } from '../../src/errors.ts';
import type { AdapterOptions } from '../../src/protocol/index.ts';
import type { CompletionServer, Usage } from './completions.ts';

const wrong = (message: string): KvShareError => new KvShareError('config_invalid', message);

/** Longer than a block of any cache that is made of blocks. */
const PROBE_TOKENS = 160;
const PATIENCE_MS = 60_000;
const sampling = { temperature: 0, topP: 1, seed: 1, maxTokens: 1, stopTokens: [] };

/** A text that nobody has sent before. */
function newPrompt({ tokenizer }: AdapterOptions): number[] {
  let text = '';
  while (text.length < 8 * PROBE_TOKENS) text += `${randomBytes(3).toString('hex')} `;
  return tokenizer.encode(text).slice(0, PROBE_TOKENS);
}

async function ask(
  server: CompletionServer,
  tokens: readonly number[],
  cacheSalt: string,
): Promise<Usage> {
  let found: Usage | null = null;
  const completion = { tokens, sampling, maxTokens: 1, cacheSalt };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const { usage } of server.complete(completion, signal)) found = usage ?? found;
  if (found?.promptTokens === tokens.length) return found;
  const counted = found ? `it counts ${found.promptTokens} of ${tokens.length}` : 'no usage';
  throw wrong(`${server.url} does not take token ids as a prompt (${counted}).`);
}

/** Throws KvShareError `config_invalid` for a server in whose cache tenants would find each other's prompts. */
export async function checkServer(
  server: CompletionServer,
  options: AdapterOptions,
): Promise<void> {
  const prompt = newPrompt(options);
  const [mine, yours] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  await ask(server, prompt, mine);
  if (options.sharedCache) return;
  const again = await ask(server, prompt, mine);
  const other = await ask(server, prompt, yours);
  const choice = 'or say sharedCache: true when all tenants may share one cache';
  if (again.cachedTokens === null || other.cachedTokens === null) {
    throw wrong(
      `${server.url} does not say what it took from its cache, so whether cache_salt keeps tenants apart cannot be ` +
        `seen: start it so that it does (vLLM: --enable-prompt-tokens-details), ${choice}.`,
    );
  }
  if (other.cachedTokens > 0) {
    throw wrong(
      `${server.url} ignores cache_salt: tenants would find each other's prompts in its cache. Use the adapter ` +
        `llama-cpp for llama.cpp's server, ${choice}.`,
    );
  }
}
