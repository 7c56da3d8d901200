// `kvshare native`: builds the native TensorFlow backend into the cache, or says that it is there.
import type { Settings } from '../config.ts';
import type { Switches } from './catalog/index.ts';
import { buildNative } from '../native/index.ts';
import { progressPrinter } from './progress.ts';

export async function nativeCommand(settings: Settings, { json }: Switches): Promise<void> {
  const progress = progressPrinter(process.stderr);
  try {
    const found = await buildNative({ cacheDir: settings.cacheDir, onProgress: progress.step });
    progress.end();
    const line = `${found.built ? 'built' : 'already there'}: ${found.packageDir}`;
    process.stdout.write(`${json ? JSON.stringify(found) : line}\n`);
  } finally {
    progress.end();
  }
}
