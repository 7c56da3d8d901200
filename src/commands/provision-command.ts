// `kvshare provision`: model, word vectors and backend, so that everything after it needs no network.
import type { Settings } from '../config.ts';
import type { Switches } from './catalog/index.ts';
import {
  provisionBackend,
  provisionEmbedder,
  provisionModel,
  provisionTokenizer,
} from './provision.ts';

export async function provisionCommand(settings: Settings, { json }: Switches): Promise<void> {
  const model = await provisionModel(settings);
  const tokenizer = await provisionTokenizer(model);
  const noWords: string[] = [];
  const embedder = await provisionEmbedder({
    settings: settings.embedder,
    cacheDir: settings.cacheDir,
    model,
    tokenizer,
    onFallback: (why) => noWords.push(why),
  });
  await embedder?.close();
  const { name, description, tried } = await provisionBackend(settings);
  const report = {
    model,
    embedder: { fingerprint: embedder?.fingerprint ?? 'off', notWordLlama: noWords },
    backend: { name, description, tried },
  };
  const lines = [
    `model ${model.path} (${model.source})`,
    `embedder ${report.embedder.fingerprint}`,
    ...noWords.map((why) => `  not word-llama: ${why}`),
    `backend ${name}: ${description}`,
    ...tried.map(({ name: other, reason }) => `  not ${other}: ${reason}`),
  ];
  process.stdout.write(`${json ? JSON.stringify(report, null, 2) : lines.join('\n')}\n`);
}
