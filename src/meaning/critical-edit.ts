// The meaning guard: does an edit change what the text says, and not only how? Judged on the diff alone, for a
// similarity of whole texts cannot tell "enable 2FA" from "disable 2FA" (.82) or "2+2" from "2+3" (.96).
import { choices, dates, negations, numbers, roles, units } from './word-lists.ts';
import { diffWords, type WordChange } from './word-diff.ts';

/** What kind of meaning an edit touches. */
export const criticalKinds = [
  'number',
  'date',
  'unit',
  'negation',
  'choice',
  'name',
  'code',
  'role',
  'swap',
] as const;
export type CriticalKind = (typeof criticalKinds)[number];

/** Of any script: "５ mg" is another dose than "６ mg". */
const HAS_DIGIT = /\p{N}/u;
/** Chinese and Japanese have no spaces: numbers and negations stand inside what is one word here. */
const HAN_NUMBER = /[〇零一二三四五六七八九十百千万億两兩半]/;
const HAN_NEGATION = /[不没沒無无非未别勿否]/;
const LOOKS_LIKE_DATE = /^\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?$|^\d{1,2}:\d{2}/;
const CAPITAL = /^\p{Lu}/u;
const POSSESSIVE = /['’]s$/;
const ACRONYM = /^\p{Lu}{2,}/u;
const MIXED_CASE = /\p{Ll}\p{Lu}/u;
const SYMBOL = /[=<>{}[\]()_\\/@#$%^&*+|~`]|^-+\p{L}/u;

/** What a word is about; a capital says something only inside a sentence. */
const tests: Record<Exclude<CriticalKind, 'swap'>, (word: string, lower: string) => boolean> = {
  role: (word, lower) => word.startsWith('<|') || roles.has(lower),
  date: (word, lower) => LOOKS_LIKE_DATE.test(word) || dates.has(lower),
  number: (word, lower) => HAS_DIGIT.test(word) || HAN_NUMBER.test(word) || numbers.has(lower),
  unit: (_, lower) => units.has(lower),
  negation: (word, lower) => HAN_NEGATION.test(word) || negations.has(lower),
  choice: (_, lower) => choices.has(lower),
  code: (word) => SYMBOL.test(word) || MIXED_CASE.test(word),
  name: (word) => CAPITAL.test(word) || POSSESSIVE.test(word),
};

/** At the start of a sentence a capital says nothing, but for "ISO", "Anna's" and "Anna Weber". */
const isNameAnywhere = (word: string, next: string): boolean =>
  ACRONYM.test(word) || POSSESSIVE.test(word) || CAPITAL.test(next);

function kindsOfWord(word: string, next: string, startsSentence: boolean): CriticalKind[] {
  const lower = word.toLowerCase().replaceAll('’', "'");
  const kinds = (Object.keys(tests) as (keyof typeof tests)[]).filter((kind) =>
    tests[kind](word, lower),
  );
  const saysNothing = startsSentence && !isNameAnywhere(word, next);
  return saysNothing ? kinds.filter((kind) => kind !== 'name') : kinds;
}

function kindsOfChange({ removed, inserted, startsSentence, next }: WordChange): CriticalKind[] {
  return [removed, inserted].flatMap((words) =>
    words.flatMap((word, i) => kindsOfWord(word, words[i + 1] ?? next, startsSentence && i === 0)),
  );
}

/** Prefixes that turn a word into its opposite: "safe" → "unsafe". */
function isOpposite(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return /^(un|in|im|ir|il|dis|non|de|mis|ab|en|anti|hyper|hypo|over|under)-?$/.test(
    long.slice(0, long.length - short.length),
  )
    ? long.endsWith(short)
    : false;
}

/** "hyper-" for "hypo-": words that differ only where the meaning sits. */
function hasOppositeWords({ removed, inserted }: WordChange): boolean {
  const stem = (word: string): string =>
    word.replace(/^(hyper|hypo|over|under|in|im|ex|out|pre|post|en|de|up|down)-?/, '');
  const root = (word: string): string => word.replace(/(ful|less)(ly|ness)?$/, '');
  return removed.some((before) =>
    inserted.some((after) => {
      const [a, b] = [before.toLowerCase(), after.toLowerCase()];
      const isSame = (part: (word: string) => string): boolean =>
        part(a) === part(b) && part(a) !== '';
      return a !== b && (isOpposite(a, b) || isSame(stem) || isSame(root));
    }),
  );
}

/** The same words in other places: "A paid B" → "B paid A". */
function isSwap(changes: readonly WordChange[]): boolean {
  const sorted = (pick: (change: WordChange) => readonly string[]): string =>
    changes
      .flatMap(pick)
      .map((word) => word.toLowerCase())
      .filter((word) => /\p{L}/u.test(word))
      .sort()
      .join(' ');
  const removed = sorted((change) => change.removed);
  return removed !== '' && removed === sorted((change) => change.inserted);
}

/** Empty = the edit is about wording; kinds in the order of `criticalKinds`. */
export function criticalChanges(before: string, after: string): CriticalKind[] {
  const changes = diffWords(before, after);
  const found = new Set(changes.flatMap(kindsOfChange));
  if (changes.some(hasOppositeWords)) found.add('negation');
  if (isSwap(changes)) found.add('swap');
  return criticalKinds.filter((kind) => found.has(kind));
}
