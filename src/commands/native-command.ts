// `kvshare native`: builds the native TensorFlow backend into the cache, or says that it is there.
import type { Settings } from '../config.ts';
import { buildNative } from '../native/index.ts';
import { progressPrinter } from './progress.ts';

export async function nativeCommand(settings: Settings): Promise<void> {
  const progress = progressPrinter(process.stderr);
  try {
    const { packageDir, built } = await buildNative({
      cacheDir: settings.cacheDir,
      onProgress: progress.step,
    });
    progress.end();
    process.stdout.write(`${built ? 'built' : 'already there'}: ${packageDir}\n`);
  } finally {
    progress.end();
  }
}
