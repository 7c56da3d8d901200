// `kvshare embedder`: the sentence encoder all-MiniLM-L6-v2 as a server of its own, for sidecars that are to compare
// prompts by their meaning in context. Sees texts, keeps none.
import type { Settings } from '../config.ts';
import { miniLmEmbedder, serveEmbeddings } from '../embed/index.ts';
import { announceReady } from '../serve/index.ts';
import { progressPrinter } from './progress.ts';
import { provisionBackend } from './provision.ts';
import { runUntilSignal } from './run-until-signal.ts';

export async function embedderCommand(settings: Settings): Promise<void> {
  const backend = await provisionBackend(settings);
  const progress = progressPrinter();
  const { cacheDir } = settings;
  const embedder = await miniLmEmbedder({ tf: backend.tf, cacheDir, onProgress: progress.step });
  progress.end();
  const server = await serveEmbeddings(embedder, { port: settings.port, host: settings.host });
  announceReady(server.port);
  process.stderr.write(
    `kvshare embedder on http://${settings.host}:${server.port}/v1 ` +
      `(${embedder.fingerprint}, ${backend.name})\n`,
  );
  await runUntilSignal(() => server.close());
}
