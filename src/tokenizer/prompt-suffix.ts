// Where the suffix of a prompt begins: the tokens that are always computed fresh (paper section on the
// last tokens; planner rule 5). It is the last paragraph that the user wrote, and what the template
// puts behind it, but not more than `maxSuffix` tokens.
import { TokenClass } from './token-classes.ts';

export const maxSuffix = 128;

/** Offsets in a text: its last paragraph without trailing white space. */
export interface Paragraph {
  readonly start: number;
  readonly end: number;
}

/** Null when there is nothing but white space. */
export function lastParagraph(text: string): Paragraph | null {
  const end = text.trimEnd().length;
  if (end === 0) return null;
  return { start: text.lastIndexOf('\n', end - 1) + 1, end };
}

/**
 * `paragraphStart` and `textEnd` are token positions. A paragraph that is too long is cut behind a
 * sentence end, the earliest that fits: the question itself stays fresh. The sentence end that closes
 * the text does not count, because nothing of the text would be left.
 */
export function suffixStart(
  tokens: Int32Array,
  classes: Uint8Array,
  paragraphStart: number,
  textEnd: number,
): number {
  const last = Math.max(0, tokens.length - 1);
  const start = Math.min(paragraphStart, last);
  if (tokens.length - start <= maxSuffix) return start;
  const earliest = tokens.length - maxSuffix;
  for (let at = earliest; at < last; at++) {
    const endsSentence = (classes[tokens[at - 1]!]! & TokenClass.sentenceEnd) !== 0;
    if (endsSentence && at !== textEnd) return at;
  }
  return earliest;
}
