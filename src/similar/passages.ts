// Prompts are compared passage by passage, so that a preamble that everybody shares cannot hide the document. A
// passage is a line, or some short lines, of one message; the same text is the same passage wherever it stands.
import { createHash } from 'node:crypto';
import type { TokenRange } from '../kv/index.ts';

/** Flags by token id, as the tokenizer hands them out: 1 sentence end, 2 newline, 4 special. */
export type TokenClasses = Uint8Array;

const SENTENCE_END = 1;
const NEWLINE = 2;
const SPECIAL = 4;

/** Shorter lines are joined with the next one, tokens. */
const SHORT = 24;
/** Longer ones are cut at a sentence end. */
const LONG = 160;
/** What is left between two marks of the template is no text. */
const LEAST = 6;
/** Of a text's SHA-256. */
const KEY_BYTES = 16;
/** Of very long prompts the rest is not compared. */
const MAX_PASSAGES = 64;

/** Lines of text between template marks; a long one is cut at sentence ends. */
function cutLines(tokens: Int32Array, classes: TokenClasses): TokenRange[][] {
  const messages: TokenRange[][] = [[]];
  let start = 0;
  const cut = (end: number): void => {
    if (end > start) messages.at(-1)!.push({ start, end });
    start = end;
  };
  for (let at = 0; at < tokens.length; at++) {
    const kind = classes[tokens[at]!] ?? 0;
    if ((kind & SPECIAL) !== 0) {
      cut(at);
      messages.push([]);
      start = at + 1;
    } else if ((kind & NEWLINE) !== 0) cut(at + 1);
    else if ((kind & SENTENCE_END) !== 0 && at + 1 - start >= LONG) cut(at + 1);
  }
  cut(tokens.length);
  return messages;
}

const lengthOf = ({ start, end }: TokenRange): number => end - start;

/** Short lines are joined with each other, never with a paragraph: that stays the same wherever it stands. */
function joinShort(lines: readonly TokenRange[]): TokenRange[] {
  const joined: TokenRange[] = [];
  for (const line of lines) {
    const last = joined.at(-1);
    const joins = last && lengthOf(last) < SHORT && lengthOf(line) < SHORT;
    if (joins) joined[joined.length - 1] = { start: last.start, end: line.end };
    else joined.push(line);
  }
  return joined;
}

/** In order, not overlapping; template marks belong to none. */
export function cutPassages(tokens: Int32Array, classes: TokenClasses): TokenRange[] {
  return cutLines(tokens, classes)
    .flatMap(joinShort)
    .filter((passage) => lengthOf(passage) >= LEAST)
    .slice(0, MAX_PASSAGES);
}

/** Equal for equal tokens; nobody can make two texts collide. */
export function passageKey(tokens: Int32Array, { start, end }: TokenRange): string {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset + 4 * start, 4 * (end - start));
  return createHash('sha256').update(bytes).digest().toString('base64url', 0, KEY_BYTES);
}
