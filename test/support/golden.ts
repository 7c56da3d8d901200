// Golden vectors (test/fixtures/golden/smollm2) and the real model, loaded once per test file.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { openGguf } from '../../src/gguf/index.ts';
import { resolveModel } from '../../src/model-files/index.ts';
import { loadBackend } from '../../src/runner/backend/index.ts';
import { readModelConfig } from '../../src/runner/model/model-config.ts';
import { loadWeights } from '../../src/runner/model/weights.ts';
import { GraphTransformer, type GraphForm } from '../../src/runner/graph/index.ts';
import { Transformer } from '../../src/runner/model/transformer.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';
import { watched } from './tiny-engine.ts';

export const cacheDir = process.env['KVSHARE_CACHE_DIR'] ?? join(homedir(), '.cache', 'kvshare');

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the file
export const golden = <T>(name: string): T =>
  JSON.parse(
    readFileSync(new URL(`../fixtures/golden/smollm2/${name}.json`, import.meta.url), 'utf8'),
  ) as T;

export async function realTokenizer(): Promise<Tokenizer> {
  const file = await openGguf((await resolveModel({ cacheDir })).path);
  const tokenizer = loadTokenizer(file);
  await file.close();
  return tokenizer;
}

/** The best backend that runs without building anything, and the pinned model on it; as `graph`, in the form that a runner takes. */
export async function realModel(form: 'graph' | 'op by op' | GraphForm) {
  const resolved = await resolveModel({ cacheDir });
  const backend = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });
  const file = await openGguf(resolved.path);
  const config = readModelConfig(file);
  const weights = await loadWeights(backend.tf, file, config);
  await file.close();
  return {
    backend,
    tf: backend.tf,
    config,
    weights,
    model: watched(
      form !== 'op by op' && backend.name.startsWith('tensorflow')
        ? await GraphTransformer.load(backend.tf, config, weights, form === 'graph' ? {} : { form })
        : new Transformer(backend.tf, config, weights),
    ),
  };
}
