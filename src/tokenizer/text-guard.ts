// Keeps message text from spelling special tokens through the chat template. Where a text holds a
// special string, or could complete one together with the template's own text, one character of it is
// swapped for a placeholder that occurs in no message; the prompt is rendered and cut at its special
// tokens; then the placeholders are turned back. Text without such strings passes unchanged, so that
// templates which look at it see what was written.
import { KvShareError } from '../errors.ts';
import { escapePattern } from './special-tokens.ts';

/** Supplementary private use area A: no text means anything by these, but one may still hold some. */
const firstPlaceholder = 0xf0000;
const lastPlaceholder = 0xffffd;

/** Roles that a template may well write inside a special token of its own (`<|user|>`). */
const standardRoles = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);

/** What is asked of the special strings of a model; made once. */
export interface SpecialStrings {
  readonly longest: number;
  readonly heads: ReadonlySet<string>;
  readonly tails: ReadonlySet<string>;
  readonly all: readonly string[];
  /** Matches the empty string before each special string, overlapping ones too. */
  readonly starts: RegExp;
}

export function specialStrings(all: readonly string[]): SpecialStrings {
  const heads = new Set<string>();
  const tails = new Set<string>();
  for (const string of all) {
    for (let length = 1; length < string.length; length++) {
      heads.add(string.slice(0, length));
      tails.add(string.slice(length));
    }
  }
  return {
    longest: Math.max(0, ...all.map((string) => string.length)),
    heads,
    tails,
    all,
    starts: new RegExp(all.length > 0 ? `(?=${all.map(escapePattern).join('|')})` : '(?!)', 'g'),
  };
}

export class TextGuard {
  readonly #special: SpecialStrings;
  readonly #taken: Set<string>;
  readonly #placeholders = new Map<string, string>();
  readonly #originals = new Map<string, string>();
  #next = firstPlaceholder;

  /** `texts`: everything that will be rendered, so that no placeholder occurs in it. */
  constructor(special: SpecialStrings, texts: readonly string[]) {
    this.#special = special;
    this.#taken = new Set(texts.flatMap((text) => text.match(/[\u{F0000}-\u{FFFFD}]/gu) ?? []));
  }

  /** A code point that occurs nowhere. */
  freshMark(): string {
    while (this.#next <= lastPlaceholder) {
      const mark = String.fromCodePoint(this.#next++);
      if (!this.#taken.has(mark)) return mark;
    }
    throw new KvShareError('invalid_request', 'The messages use too many private characters.');
  }

  role(role: string): string {
    return standardRoles.has(role) ? role : this.content(role);
  }

  content(text: string): string {
    const places = new Set<number>();
    for (const match of text.matchAll(this.#special.starts)) places.add(match.index);
    this.#edges(text, places);
    if (places.size === 0) return text;
    let out = '';
    let from = 0;
    for (const place of [...places].sort((a, b) => a - b)) {
      out += text.slice(from, place) + this.#placeholder(text.charAt(place));
      from = place + 1;
    }
    return out + text.slice(from);
  }

  /** The text as it was written. */
  restore(text: string): string {
    if (this.#originals.size === 0) return text;
    return text.replace(/[\u{F0000}-\u{FFFFD}]/gu, (mark) => this.#originals.get(mark) ?? mark);
  }

  /** A special string may also be completed by what the template writes before or after the text. */
  #edges(text: string, places: Set<number>): void {
    const { longest, heads, tails, all } = this.#special;
    // Templates may trim, so the edge is where the visible text ends.
    const end = text.trimEnd().length;
    const start = text.length - text.trimStart().length;
    for (let length = 1; length < longest && length <= end - start; length++) {
      if (heads.has(text.slice(end - length, end))) places.add(end - length);
      if (tails.has(text.slice(start, start + length))) places.add(start + length - 1);
    }
    const inside = text.slice(start, end);
    if (inside === '' || inside.length >= longest) return;
    if (all.some((string) => string.includes(inside))) places.add(start);
  }

  #placeholder(character: string): string {
    const known = this.#placeholders.get(character);
    if (known !== undefined) return known;
    const mark = this.freshMark();
    this.#placeholders.set(character, mark);
    this.#originals.set(mark, character);
    return mark;
  }
}
