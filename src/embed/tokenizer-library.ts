// The one place of this room that touches the tokenizer library. Its published types import without file endings,
// which Node's module resolution does not follow, so the part used here is declared by hand.
import * as library from '@huggingface/tokenizers';

export interface LibraryTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
}

/** From a parsed tokenizer.json. Its `truncation` and `padding` are not obeyed. */
export const { Tokenizer } = library as unknown as {
  Tokenizer: new (tokenizer: object, config: object) => LibraryTokenizer;
};
