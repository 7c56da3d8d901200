// The embedder that the operator chose. Only `auto` may fall back: who names one wants that one.
import {
  modelRowsEmbedder,
  openAiEmbedder,
  wordLlamaEmbedder,
  type Embedder,
} from '../embed/index.ts';
import { KvShareError } from '../errors.ts';
import { openGguf } from '../gguf/index.ts';
import type { ResolvedModel } from '../model-files/index.ts';
import type { OnProgress } from '../provisioning/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';

/** `file` keeps vectors over a restart. */
export type EmbedderSettings =
  | {
      readonly kind: 'auto' | 'word-llama' | 'model-rows' | 'off';
      readonly file: string | null;
    }
  | {
      readonly kind: 'openai';
      readonly file: string | null;
      readonly url: string;
      readonly model: string;
      readonly key: string | null;
    };

export interface OpenEmbedderOptions {
  readonly settings: EmbedderSettings;
  readonly cacheDir: string;
  readonly model: ResolvedModel;
  readonly tokenizer: Tokenizer;
  readonly onProgress: OnProgress;
  /** Why the word vectors could not be had. */
  readonly onFallback: (why: string) => void;
}

async function openModelRows({ model, tokenizer }: OpenEmbedderOptions): Promise<Embedder> {
  const file = await openGguf(model.path);
  try {
    return await modelRowsEmbedder({
      file,
      encode: (text) => tokenizer.encode(text, { special: false }),
      modelSha256: model.sha256,
    });
  } finally {
    await file.close();
  }
}

function open(options: OpenEmbedderOptions): Promise<Embedder | null> {
  const { settings, cacheDir, onProgress, onFallback } = options;
  switch (settings.kind) {
    case 'off':
      return Promise.resolve(null);
    case 'auto':
      return wordLlamaEmbedder(cacheDir, onProgress).catch((error: unknown) => {
        onFallback((error as Error).message);
        return openModelRows(options);
      });
    case 'word-llama':
      return wordLlamaEmbedder(cacheDir, onProgress);
    case 'model-rows':
      return openModelRows(options);
    case 'openai':
      return openAiEmbedder({ ...settings, apiKey: settings.key });
  }
}

/** Throws KvShareError `config_invalid` when an embedder that was asked for by name cannot be had. */
export async function openEmbedder(options: OpenEmbedderOptions): Promise<Embedder | null> {
  try {
    return await open(options);
  } catch (error) {
    const { kind } = options.settings;
    const why = (error as Error).message;
    throw new KvShareError('config_invalid', `The embedder "${kind}" cannot be used: ${why}`);
  }
}
