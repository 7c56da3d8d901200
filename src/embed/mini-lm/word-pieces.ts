// Text → WordPiece ids with [CLS] in front and [SEP] behind, cut to what the encoder was trained with.
import { readFile } from 'node:fs/promises';
import { Tokenizer } from '../tokenizer-library.ts';

/** max_seq_length of sentence_bert_config.json; with the two special tokens. */
const MAX_TOKENS = 256;
/** A word of more than 100 characters is one unknown token: beyond this, what is cut off is not looked at anyway. */
const MAX_CHARACTERS = 1 << 15;

/** Ids of a text; null when it has no word. */
export type EncodeText = (text: string) => readonly number[] | null;

/** `path`: a tokenizer.json. */
export async function wordPieces(path: string): Promise<EncodeText> {
  const tokenizer = new Tokenizer(JSON.parse(await readFile(path, 'utf8')) as object, {});
  return (text) => {
    const { ids } = tokenizer.encode(text.slice(0, MAX_CHARACTERS), { add_special_tokens: true });
    if (ids.length <= 2) return null;
    return ids.length <= MAX_TOKENS ? ids : [...ids.slice(0, MAX_TOKENS - 1), ids.at(-1)!];
  };
}
