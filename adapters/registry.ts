// Names of adapters → the adapters. Each loads when it is chosen.
import { KvShareError } from '../src/errors.ts';
import type { OpenAdapter } from '../src/protocol/index.ts';

const adapters: Record<string, () => Promise<{ readonly openAdapter: OpenAdapter }>> = {
  'llama-cpp': () => import('./llama-cpp/adapter.ts'),
  'openai-compatible': () => import('./openai-compatible/adapter.ts'),
};

export const adapterNames: readonly string[] = Object.keys(adapters);

/** Throws KvShareError `config_invalid` for a name that is not known. */
export async function loadAdapter(name: string): Promise<OpenAdapter> {
  const load = adapters[name];
  if (!load) {
    const known = adapterNames.join(', ');
    throw new KvShareError('config_invalid', `There is no adapter "${name}"; known: ${known}.`);
  }
  return (await load()).openAdapter;
}
