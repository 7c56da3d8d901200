// The server that suites measure against: named by a flag, or the one that `kvshare llama-server` has built.
import { KvShareError } from '../../errors.ts';
import { findLlamaServer } from '../../llama-server/index.ts';

/** Throws KvShareError `config_invalid` when there is none. */
export async function llamaServerOf(flag: string | undefined, cacheDir: string): Promise<string> {
  const path = flag ?? (await findLlamaServer(cacheDir));
  if (path !== null) return path;
  const hint = 'build one with `kvshare llama-server`, or name one with --llama-server BIN';
  throw new KvShareError('config_invalid', `This suite needs llama.cpp's server: ${hint}.`);
}
