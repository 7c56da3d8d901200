// A suite's vector match: the embedder that a flag names, and indexes for its vectors while the suite runs.
import type { Embedder } from '../../embed/index.ts';
import type { ResolvedModel } from '../../model-files/index.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import { VectorIndexes } from '../../vectors/index.ts';
import { provisionEmbedder } from '../provision.ts';
import { oneOf } from './suite.ts';

interface Meaning {
  readonly embedder: Embedder;
  readonly vectors: VectorIndexes;
}

export interface MeaningOptions {
  /** The value of --embedder. */
  readonly name: string;
  readonly cacheDir: string;
  readonly model: ResolvedModel;
  readonly tokenizer: Tokenizer;
}

/** `run` gets null when the match is off. */
export async function withMeaning<T>(
  { name, ...where }: MeaningOptions,
  run: (meaning: Meaning | null) => Promise<T>,
): Promise<T> {
  const embedder = await provisionEmbedder({
    settings: {
      kind: oneOf(name, ['word-llama', 'model-rows', 'off'], '--embedder'),
      file: null,
    },
    ...where,
    onFallback: () => undefined,
  });
  if (!embedder) return run(null);
  const vectors = new VectorIndexes({ dimension: embedder.dimension });
  try {
    return await run({ embedder, vectors });
  } finally {
    await vectors.close();
  }
}
