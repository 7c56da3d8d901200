// The one place that touches the library's merging class. Its published types import without file
// endings, which Node's module resolution does not follow, so the part used here is declared by hand.
import * as library from '@huggingface/tokenizers';

interface BpeConfig {
  readonly type: 'BPE';
  /** Read by its own enumerable keys. */
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** A word that is in the vocabulary is one token, whatever the merges say. */
  readonly ignore_merges: boolean;
}

interface Bpe {
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  /** Words longer than this are not remembered by the library. */
  max_length_to_cache: number;
  encode(words: readonly string[]): string[];
}

const { BPE } = library as unknown as { BPE: new (config: BpeConfig) => Bpe };

/** Byte-level word → ids. A character that the vocabulary lacks is dropped. */
export function wordMerger(
  vocab: BpeConfig['vocab'],
  merges: BpeConfig['merges'],
  wholeWords: boolean,
): (word: string) => number[] {
  const bpe = new BPE({ type: 'BPE', vocab, merges, ignore_merges: wholeWords });
  // Words are remembered as ids by the caller; a second memory of them as strings is of no use.
  bpe.max_length_to_cache = 0;
  return (word) => bpe.encode([word]).map((token) => bpe.tokens_to_ids.get(token)!);
}
