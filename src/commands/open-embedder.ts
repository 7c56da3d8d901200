// The embedder that the operator chose. Only `auto` may go without: who names one wants that one.
import type { EmbedderSettings } from '../config-file.ts';
import { wordLlamaEmbedder, type Embedder } from '../embed/index.ts';
import { KvShareError } from '../errors.ts';
import { progressPrinter } from './progress.ts';

export interface OpenEmbedderOptions {
  readonly settings: EmbedderSettings;
  readonly cacheDir: string;
  /** Why nothing is compared by meaning. */
  readonly onMissing: (why: string) => void;
}

async function open({ settings, cacheDir }: OpenEmbedderOptions): Promise<Embedder | null> {
  const progress = progressPrinter(process.stderr);
  try {
    switch (settings.kind) {
      case 'off':
        return null;
      case 'auto':
      case 'word-llama':
        return await wordLlamaEmbedder(cacheDir, progress.step);
      default:
        throw new Error('is not here yet');
    }
  } finally {
    progress.end();
  }
}

/** Throws KvShareError `config_invalid` when an embedder that was asked for by name cannot be had. */
export async function openEmbedder(options: OpenEmbedderOptions): Promise<Embedder | null> {
  const { kind } = options.settings;
  try {
    return await open(options);
  } catch (error) {
    const why = (error as Error).message;
    if (kind !== 'auto') {
      throw new KvShareError('config_invalid', `The embedder "${kind}" cannot be used: ${why}`);
    }
    options.onMissing(why);
    return null;
  }
}
