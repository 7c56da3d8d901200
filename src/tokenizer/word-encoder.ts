// Plain text → token ids: cut into words, merge each word (the library's BPE), remember the result.
// Real prompts repeat their words, so nearly all of a warm encode is map look-ups. Never produces a
// control token, whatever the text spells.
import { KvShareError } from '../errors.ts';
import { wordMerger } from './bpe-library.ts';
import { toByteLevel } from './byte-level.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import { isText } from './vocabulary.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Characters of words that are remembered: a bound of a few MB, far above what prompts repeat. */
const cacheCharacters = 1 << 20;

/**
 * A "word" beyond this is no word (a megabyte of one letter). It is merged slice by slice, because
 * merging takes more than linear time and the process has other clients; the ids stay deterministic.
 */
const longestWord = 4096;

export interface AppendOptions {
  /** Ascending offsets in the text to find in the ids. */
  readonly marks?: readonly number[];
  /** Throws `context_length_exceeded` as soon as there are more ids, without merging the rest. */
  readonly maxTokens?: number;
}

export interface WordEncoder {
  /** Bytes of the longest token: no text becomes fewer tokens than its length over this. */
  readonly longest: number;
  /** Appends the ids of the text; returns, for each mark, the index of the first word from it on. */
  append(text: string, out: number[], options?: AppendOptions): number[];
}

function merger(vocabulary: Vocabulary, wholeWords: boolean): (word: string) => number[] {
  // No prototype: a token may be called `__proto__`.
  const vocab = Object.create(null) as Record<string, number>;
  vocabulary.tokens.forEach((token, id) => {
    if (isText(vocabulary.types[id])) vocab[token] = id;
  });
  return wordMerger(vocab, vocabulary.merges, wholeWords);
}

/** Cuts a word that is too long, never inside a surrogate pair. */
function slices(word: string): string[] {
  const parts: string[] = [];
  for (let from = 0; from < word.length;) {
    let to = Math.min(from + longestWord, word.length);
    if (to < word.length && /[\uD800-\uDBFF]/.test(word.charAt(to - 1))) to--;
    parts.push(word.slice(from, to));
    from = to;
  }
  return parts;
}

export function checkLength(count: number, maxTokens: number): void {
  if (count <= maxTokens) return;
  throw new KvShareError(
    'context_length_exceeded',
    `The prompt has more than ${maxTokens} tokens.`,
  );
}

export function wordEncoder(vocabulary: Vocabulary, pre: PreTokenizer): WordEncoder {
  const mergeWord = merger(vocabulary, pre.wholeWords);
  const cache = new Map<string, readonly number[]>();
  let cached = 0;

  const merge = (word: string): readonly number[] => {
    const known = cache.get(word);
    if (known) return known;
    // A byte that the vocabulary lacks (SmolLM2 lacks 21) is dropped by the library, as by others.
    const ids = mergeWord(toByteLevel(word));
    cached += word.length;
    if (cached > cacheCharacters) {
      cache.clear();
      cached = word.length;
    }
    cache.set(word, ids);
    return ids;
  };

  // At byte level a character is a byte.
  const longest = vocabulary.tokens.reduce((most, { length }) => Math.max(most, length), 1);

  return {
    longest,
    append(text, out, { marks = [], maxTokens = Infinity } = {}) {
      const found: number[] = [];
      let offset = 0;
      for (const word of text.match(pre.words) ?? []) {
        while (found.length < marks.length && marks[found.length]! <= offset) {
          found.push(out.length);
        }
        for (const part of word.length > longestWord ? slices(word) : [word]) {
          for (const id of merge(part)) out.push(id);
          checkLength(out.length, maxTokens);
        }
        offset += word.length;
      }
      while (found.length < marks.length) found.push(out.length);
      return found;
    },
  };
}
