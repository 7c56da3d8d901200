// Flags by token id, as the tokenizer hands them out: 1 sentence end, 2 newline, 4 special.
export type TokenClasses = Uint8Array;

const SENTENCE_END = 1;
const NEWLINE = 2;
const SPECIAL = 4;

/** Paragraphs, list items and messages end at newlines and at special tokens. */
export const endsBlock = (classes: TokenClasses, id: number): boolean =>
  ((classes[id] ?? 0) & (NEWLINE | SPECIAL)) !== 0;

/** Notes about the context sit on these tokens. */
export const isDelimiter = (classes: TokenClasses, id: number): boolean =>
  ((classes[id] ?? 0) & (SENTENCE_END | NEWLINE)) !== 0;
