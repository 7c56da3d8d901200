// The encoder on a tiny random BERT: padding changes nothing, tensors are freed, callers can stop.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { BertEncoder, type Tf } from '../../src/embed/mini-lm/bert-encoder.ts';
import { weightShapes, type BertShape } from '../../src/embed/mini-lm/bert-shape.ts';
import { sentenceEmbedder } from '../../src/embed/mini-lm/mini-lm.ts';
import { groupByLength } from '../../src/embed/mini-lm/padded-batch.ts';
import { loadBackend } from '../../src/runner/backend/index.ts';

const shape: BertShape = {
  layers: 2,
  hidden: 12,
  heads: 3,
  inner: 20,
  vocabulary: 40,
  positions: 16,
  layerNormEpsilon: 1e-12,
};

function randomWeights(): Map<string, Float32Array> {
  let state = 7;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const size = (dims: readonly number[]): number => dims.reduce((product, n) => product * n, 1);
  return new Map(
    Object.entries(weightShapes(shape)).map(([name, dims]) => [
      name,
      Float32Array.from({ length: size(dims) }, next),
    ]),
  );
}

/** One token a letter. */
const encodeText = (text: string): number[] | null =>
  text === '' ? null : [1, ...Array.from(text, (c) => c.charCodeAt(0) - 90), 2];

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend({ requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false }));
});

describe('sentenceEmbedder', () => {
  it('gives the same vectors alone and in a batch, in order, null for nothing', async () => {
    const before = tf.memory().numTensors;
    const encoder = new BertEncoder(tf, shape, randomWeights());
    const embedder = sentenceEmbedder({ encoder, encodeText, dimension: shape.hidden });
    const texts = ['abcdefgh', '', 'a', 'hgfedcba', 'xyz'];
    const held = tf.memory().numTensors;
    const together = await embedder.embed(texts);
    expect(together[1]).toBeNull();
    for (const [i, text] of texts.entries()) {
      const [alone] = await embedder.embed([text]);
      if (alone === null) continue;
      expect(Math.hypot(...alone!)).toBeCloseTo(1, 5);
      alone!.forEach((x, d) => expect(together[i]![d]).toBeCloseTo(x, 5));
    }
    expect(together[0]![0]).not.toBeCloseTo(together[3]![0]!, 3);
    expect(tf.memory().numTensors).toBe(held);
    await embedder.close();
    expect(tf.memory().numTensors).toBe(before);
    await expect(embedder.embed(['a'])).rejects.toThrow('closed');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops at the next batch when the caller does', async () => {
    let calls = 0;
    const abort = new AbortController();
    const encoder = {
      encode: async ({ count }: { count: number }) => {
        if (++calls === 2) abort.abort(new Error('enough'));
        return new Float32Array(count * 2).fill(1);
      },
      dispose: () => undefined,
    };
    const embedder = sentenceEmbedder({
      encoder,
      encodeText: () => new Array<number>(300).fill(1),
      dimension: 2,
    });
    await expect(embedder.embed(['a', 'b', 'c', 'd'], abort.signal)).rejects.toThrow('enough');
    expect(calls).toBe(2);
  });

  it('gives null for what has no direction', async () => {
    const encode = async () => Float32Array.of(NaN, 1, 0, 0, 3, 4);
    const encoder = { encode, dispose: () => undefined };
    const embedder = sentenceEmbedder({ encoder, encodeText, dimension: 2 });
    const [nan, zero, good] = await embedder.embed(['a', 'b', 'c']);
    expect([nan, zero]).toEqual([null, null]);
    expect([...good!]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  });
});

describe('groupByLength', () => {
  it('puts each text in one batch of bounded size, padded', () => {
    const texts = [5, 1, 3, 9, 2, 30].map((n, place) => ({
      place,
      ids: Array.from({ length: n }, (_, i) => i + 1),
    }));
    const groups = groupByLength(texts, 12);
    expect(groups.flatMap(({ members }) => members).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { members, batch } of groups) {
      expect(batch.count * batch.length <= 12 || members.length === 1).toBe(true);
      members.forEach((place, row) => {
        const { ids } = texts[place]!;
        const [from, to] = [row * batch.length, (row + 1) * batch.length];
        const padding = new Array<number>(batch.length - ids.length).fill(0);
        expect([...batch.ids.slice(from, to)]).toEqual([...ids, ...padding]);
        expect([...batch.mask.slice(from, to)]).toEqual([...ids.map(() => 1), ...padding]);
      });
    }
    expect(groupByLength([], 12)).toEqual([]);
  });
});
