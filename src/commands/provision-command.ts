// `kvshare provision`: model, word vectors and backend, so that everything after it needs no network.
import type { Settings } from '../config.ts';
import { openEmbedder } from './open-embedder.ts';
import { provisionBackend, provisionModel, provisionTokenizer } from './provision.ts';

export async function provisionCommand(settings: Settings): Promise<void> {
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  let missing = '';
  const embedder = await openEmbedder({
    settings: settings.embedder,
    cacheDir: settings.cacheDir,
    model,
    tokenizer,
    onFallback: (why) => (missing = `  not word-llama: ${why}\n`),
  });
  await embedder?.close();
  const backend = await provisionBackend(settings);
  process.stdout.write(`model ${model.path} (${model.source})\n`);
  process.stdout.write(`embedder ${embedder?.fingerprint ?? 'off'}\n${missing}`);
  process.stdout.write(`backend ${backend.name}: ${backend.description}\n`);
  for (const { name, reason } of backend.tried) process.stdout.write(`  not ${name}: ${reason}\n`);
}
