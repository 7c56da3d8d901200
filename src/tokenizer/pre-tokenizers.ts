// How text is cut into words before merging, by the name in the model file (`tokenizer.ggml.pre`).
// One pattern a name, every character of any text in exactly one match. The originals are lists of
// splits applied one after the other; where that matters the pattern below folds them into one,
// because one pass is what fits the planning budget. White space is Unicode's, as in the originals;
// JavaScript's own class differs in U+0085 and U+FEFF.
import { KvShareError } from '../errors.ts';

export interface PreTokenizer {
  /** Global pattern; its matches are the words. */
  readonly words: RegExp;
  /** A word that is a token is that token, whatever the merges say. */
  readonly wholeWords: boolean;
}

const S = '\\p{White_Space}';
const other = `[^${S}\\p{L}\\p{N}]`;
const contractions = "'s|'t|'re|'ve|'m|'ll|'d";
const anyCaseContractions = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";

const gpt2 = `${contractions}| ?\\p{L}+| ?\\p{N}+| ?${other}+|${S}+(?![^${S}])|${S}+`;

// Digits come off first, one by one; so white space before a digit ends its piece and stays whole.
const smollm = `\\p{N}|${contractions}| ?\\p{L}+| ?${other}+|${S}+(?![^${S}\\p{N}])|${S}+`;

const tiktoken = (digits: string): string =>
  `${anyCaseContractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?${other}+[\\r\\n]*` +
  `|${S}*[\\r\\n]+|${S}+(?![^${S}])|${S}+`;

const patterns: ReadonlyMap<string, readonly [pattern: string, wholeWords: boolean]> = new Map([
  ['default', [gpt2, false]],
  ['gpt-2', [gpt2, false]],
  ['smollm', [smollm, false]],
  ['llama-bpe', [tiktoken('\\p{N}{1,3}'), true]],
  ['qwen2', [tiktoken('\\p{N}'), false]],
]);

export function preTokenizer(name: string): PreTokenizer {
  const found = patterns.get(name);
  if (!found) {
    throw new KvShareError(
      'model_invalid',
      `The model file's pre-tokenizer ${JSON.stringify(name.slice(0, 40))} is not supported ` +
        `(supported: ${[...patterns.keys()].join(', ')}).`,
    );
  }
  return { words: new RegExp(found[0], 'gu'), wholeWords: found[1] };
}
