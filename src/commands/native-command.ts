// `kvshare native`: gets a backend that does not come with npm install into the cache, or says that it is there.
import type { Settings } from '../config.ts';
import type { Switches } from './catalog/index.ts';
import { KvShareError } from '../errors.ts';
import { buildNative, fetchWebgpu } from '../native/index.ts';
import { progressPrinter } from './progress.ts';

export async function nativeCommand(settings: Settings, { json }: Switches): Promise<void> {
  const { backend, cacheDir } = settings;
  if (backend === 'wasm' || backend === 'cpu') {
    throw new KvShareError('config_invalid', `--backend ${backend} comes with npm install.`);
  }
  const progress = progressPrinter();
  try {
    const onProgress = progress.step;
    const found =
      backend === 'webgpu'
        ? await fetchWebgpu({ cacheDir, onProgress })
        : await buildNative({
            cacheDir,
            build: backend === 'auto' ? 'tensorflow' : backend,
            onProgress,
          });
    progress.end();
    const line = `${found.built ? 'built' : 'already there'}: ${found.packageDir}`;
    process.stdout.write(`${json ? JSON.stringify(found) : line}\n`);
  } finally {
    progress.end();
  }
}
