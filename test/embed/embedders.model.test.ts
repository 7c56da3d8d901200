// The real word vectors and the real model's rows: what is alike must come out alike.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { modelRowsEmbedder, wordLlamaEmbedder, type Embedder } from '../../src/embed/index.ts';
import { openGguf } from '../../src/gguf/index.ts';
import { resolveModel } from '../../src/model-files/index.ts';
import { loadTokenizer } from '../../src/tokenizer/index.ts';

const cacheDir = join(homedir(), '.cache', 'kvshare');
const texts = [
  'Wash your hands with soap and warm water before you visit a patient on the ward.',
  'Before visiting patients on the ward, please wash your hands with warm water and soap.',
  'Visitors who have a fever should not come to the hospital until they feel better.',
  'A triangle with two equal sides has two equal angles; prove it with a sketch.',
  'The invoice is due within thirty days, and a fee is added when it is paid late.',
];

const embedders: Embedder[] = [];
beforeAll(async () => {
  embedders.push(await wordLlamaEmbedder(cacheDir));
  const model = await resolveModel({ cacheDir });
  const file = await openGguf(model.path);
  const tokenizer = loadTokenizer(file);
  const encode = (text: string): Int32Array => tokenizer.encode(text, { special: false });
  embedders.push(await modelRowsEmbedder({ file, encode, modelSha256: model.sha256 }));
  await file.close();
}, 300_000);
afterAll(() => Promise.all(embedders.map((embedder) => embedder.close())));

const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe.each([
  ['word vectors', 0],
  ['model rows', 1],
])('%s', (_, which) => {
  it('say that a rewording is nearer than the same topic or another one', async () => {
    const vectors = (await embedders[which]!.embed(texts)).map((vector) => vector!);
    const near = (i: number): number => cosine(vectors[0]!, vectors[i]!);
    expect(near(1)).toBeGreaterThan(0.8);
    expect(near(1)).toBeGreaterThan(Math.max(near(2), near(3), near(4)) + 0.1);
    for (const vector of vectors) expect(cosine(vector, vector)).toBeCloseTo(1, 4);
    expect(vectors[0]).toHaveLength(128);
  });

  it('have nothing to say about nothing', async () => {
    expect(await embedders[which]!.embed([''])).toEqual([null]);
  });
});
