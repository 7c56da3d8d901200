// The default embedder: WordLlama's static token vectors (github.com/dleemiller/WordLlama, MIT), 32,000 rows of 256,
// out of its Python wheel. They were trained so that the first dimensions suffice by themselves (Matryoshka): 128
// find the same donors as 256 (recall in the top 5 .96 .91 .98 .90 .97 against .98 .90 .98 .89 .97) in half the memory.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureWheelFiles, type OnProgress, type PinnedWheel } from '../provisioning/index.ts';
import type { Embedder } from './embedder.ts';
import { readSafetensors } from './safetensors.ts';
import { Tokenizer } from './tokenizer-library.ts';
import { wordVectorEmbedder } from './word-vectors.ts';

const ROWS = 32_000;
const STORED_DIMENSION = 256;
const DIMENSION = 128;

const weights = {
  fileName: 'l2_supercat_256.safetensors',
  sha256: '64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5',
} as const;
const tokenizer = {
  fileName: 'l2_supercat_tokenizer_config.json',
  sha256: '93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68',
} as const;

const wheel: PinnedWheel = {
  requirement: 'wordllama==0.4.0.post1',
  // The wheel carries compiled code that is not used: the same one for every machine will do.
  extraArgs: ['--only-binary=:all:', '--python-version=3.11', '--platform=manylinux2014_x86_64'],
  totalBytes: 19_155_170,
  phase: 'downloading word vectors',
  files: [weights, tokenizer].map((file) => ({ ...file, inside: file.fileName })),
};

/** The first `DIMENSION` columns. */
function firstColumns(table: Float32Array): Float32Array {
  const cut = new Float32Array(ROWS * DIMENSION);
  for (let row = 0; row < ROWS; row++) {
    const start = row * STORED_DIMENSION;
    cut.set(table.subarray(start, start + DIMENSION), row * DIMENSION);
  }
  return cut;
}

/** Downloads 19 MB the first time. Throws Error with one line when they cannot be had. */
export async function wordLlamaEmbedder(
  cacheDir: string,
  onProgress?: OnProgress,
): Promise<Embedder> {
  const folder = join(cacheDir, 'embedders', 'wordllama');
  await ensureWheelFiles(folder, wheel, onProgress);
  const name = 'embedding.weight';
  const expected = { [name]: [ROWS, STORED_DIMENSION] };
  const tensors = await readSafetensors(join(folder, weights.fileName), expected);
  const config = JSON.parse(await readFile(join(folder, tokenizer.fileName), 'utf8')) as object;
  const words = new Tokenizer(config, {});
  return wordVectorEmbedder({
    fingerprint: `wordllama-${weights.sha256.slice(0, 8)}-${DIMENSION}`,
    table: firstColumns(tensors.get(name)!),
    dimension: DIMENSION,
    // Of 200 unrelated prompts more than 95 % have no other one that is more alike.
    defaultThreshold: 0.8,
    encodeWord: (word) => words.encode(word, { add_special_tokens: false }).ids,
  });
}
