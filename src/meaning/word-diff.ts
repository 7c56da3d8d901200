// Which words differ between two short texts: the diff that the meaning guard judges. Longest common
// subsequence over words; punctuation and numbers with their signs are words of their own.

/** Longer texts are judged as wholly changed: the table grows with the square. */
const MAX_WORDS = 400;

const WORD =
  /<\|[^|>]*\|>|(?<=^|\s)--?\p{L}[\p{L}\p{N}-]*|[-+−]?\p{N}(?:[\p{N}.,:/-]*\p{N})?|[\p{L}\p{M}'’]+|[^\s\p{L}\p{M}\p{N}]/gu;

export const wordsOf = (text: string): string[] => text.match(WORD) ?? [];

export interface WordChange {
  readonly removed: readonly string[];
  readonly inserted: readonly string[];
  /** Whether the change stands at the start of a sentence, where every word is capitalised. */
  readonly startsSentence: boolean;
  /** The word behind it in the new text, "" at its end. */
  readonly next: string;
}

/** Behind a colon a capital is a name: "Patient: Anna". */
const ENDS_SENTENCE = /^[.?!]$/;

/** lengths[i * (b.length + 1) + j] = longest common subsequence of a[i…] and b[j…]. */
function subsequences(a: readonly string[], b: readonly string[]): Uint16Array {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  return lengths;
}

/** Pairs of positions of equal words, in order, with the end of both texts last. */
function anchors(a: readonly string[], b: readonly string[]): [number, number][] {
  const lengths = subsequences(a, b);
  const width = b.length + 1;
  const found: [number, number][] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) found.push([i++, j++]);
    else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++;
    else j++;
  }
  return [...found, [a.length, b.length]];
}

/** Changes in order; none when the words are the same. */
export function diffWords(before: string, after: string): WordChange[] {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  if (Math.max(a.length, b.length) > MAX_WORDS) {
    return before === after ? [] : [{ removed: a, inserted: b, startsSentence: true, next: '' }];
  }
  const changes: WordChange[] = [];
  let [fromA, fromB] = [0, 0];
  for (const [i, j] of anchors(a, b)) {
    if (i > fromA || j > fromB) {
      const startsSentence = fromB === 0 || ENDS_SENTENCE.test(b[fromB - 1]!);
      const [removed, inserted] = [a.slice(fromA, i), b.slice(fromB, j)];
      changes.push({ removed, inserted, startsSentence, next: b[j] ?? '' });
    }
    [fromA, fromB] = [i + 1, j + 1];
  }
  return changes;
}
