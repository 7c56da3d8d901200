// What a token is to the planner: the end of a sentence, a newline, a control token. Notes about the
// text before them sit in the KV of such tokens (delimiter refresh), so the planner treats them apart.
import { fromByteLevel } from './byte-level.ts';
import { TokenType } from './vocabulary.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Bit flags by token id. */
export const TokenClass = { sentenceEnd: 1, newline: 2, special: 4 } as const;

/** The bytes that each token stands for; none for control tokens, which are not text. */
export function tokenBytes(vocabulary: Vocabulary): readonly Uint8Array[] {
  return vocabulary.tokens.map((token, id) => {
    const type = vocabulary.types[id];
    if (type === TokenType.control || type === TokenType.unknown) return new Uint8Array(0);
    if (type === TokenType.userDefined) return new Uint8Array(Buffer.from(token, 'utf8'));
    return fromByteLevel(token);
  });
}

function classOf(text: string): number {
  const visible = text.replaceAll(/\p{White_Space}/gu, '');
  const ends = /^[\p{P}\p{S}]+$/u.test(visible) && /[.?!;]/.test(visible);
  return (ends ? TokenClass.sentenceEnd : 0) | (text.includes('\n') ? TokenClass.newline : 0);
}

export function tokenClasses(vocabulary: Vocabulary, bytes: readonly Uint8Array[]): Uint8Array {
  const decoder = new TextDecoder();
  return Uint8Array.from(vocabulary.types, (type, id) =>
    type === TokenType.control || type === TokenType.unknown
      ? TokenClass.special
      : classOf(decoder.decode(bytes[id])),
  );
}
