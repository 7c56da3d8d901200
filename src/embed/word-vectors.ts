// Static word vectors (WordLlama: a table of token vectors distilled for similarity, MIT): a text is the mean of
// its tokens' rows. No network, no tensors, a fraction of a millisecond a passage.
import { toUnit, type Embedder } from './embedder.ts';

export interface WordVectors {
  readonly fingerprint: string;
  /** [tokens, dimension], row by row. */
  readonly table: Float32Array;
  readonly dimension: number;
  readonly defaultThreshold: number;
  /** Token ids of one word without white space. */
  readonly encodeWord: (word: string) => readonly number[];
}

/** Characters of words that are remembered with their ids: a bound of a few MB. */
const CACHE_CHARACTERS = 1 << 20;
/** What is longer is no word; its head says enough. */
const LONGEST_WORD = 64;

class WordIds {
  readonly #encode: WordVectors['encodeWord'];
  readonly #known = new Map<string, readonly number[]>();
  #characters = 0;

  constructor(encode: WordVectors['encodeWord']) {
    this.#encode = encode;
  }

  of(word: string): readonly number[] {
    let ids = this.#known.get(word);
    if (ids) return ids;
    ids = this.#encode(word.slice(0, LONGEST_WORD));
    this.#characters += word.length;
    if (this.#characters > CACHE_CHARACTERS) {
      this.#known.clear();
      this.#characters = word.length;
    }
    this.#known.set(word, ids);
    return ids;
  }
}

export function wordVectorEmbedder(vectors: WordVectors): Embedder {
  const { table, dimension, fingerprint, defaultThreshold, encodeWord } = vectors;
  const words = new WordIds(encodeWord);
  const rows = table.length / dimension;
  const embed = (text: string): Float32Array | null => {
    const sum = new Float32Array(dimension);
    for (const [word] of text.matchAll(/\S+/g)) {
      for (const id of words.of(word)) {
        if (id >= rows) continue;
        const base = id * dimension;
        for (let d = 0; d < dimension; d++) sum[d]! += table[base + d]!;
      }
    }
    return toUnit(sum);
  };
  return {
    fingerprint,
    dimension,
    defaultThreshold,
    embed: (texts) => Promise.resolve(texts.map(embed)),
    close: () => Promise.resolve(),
  };
}
