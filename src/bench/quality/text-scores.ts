// How alike two texts are: ROUGE-L (Lin 2004) and BLEU (Papineni et al. 2002) over lower-case words.

export const wordsOf = (text: string): string[] =>
  text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Length of the longest common subsequence. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const word of a) {
    const next = [0];
    b.forEach((other, j) => {
      next.push(word === other ? row[j]! + 1 : Math.max(row[j + 1]!, next[j]!));
    });
    row = next;
  }
  return row.at(-1)!;
}

/** F1 of the longest common subsequence of words, 0..1; two texts without words are alike. */
export function rougeL(text: string, reference: string): number {
  const [a, b] = [wordsOf(text), wordsOf(reference)];
  if (a.length + b.length === 0) return 1;
  return (2 * commonLength(a, b)) / (a.length + b.length);
}

const MAX_ORDER = 4;

function counts(words: readonly string[], order: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let at = 0; at + order <= words.length; at++) {
    const gram = words.slice(at, at + order).join(' ');
    found.set(gram, (found.get(gram) ?? 0) + 1);
  }
  return found;
}

/**
 * Sentence BLEU up to four words, 0..1. Orders above one are smoothed by one (Lin & Och 2004), as one missing
 * order would make every short text worth nothing.
 */
export function bleu(text: string, reference: string): number {
  const [words, wanted] = [wordsOf(text), wordsOf(reference)];
  if (words.length === 0 || wanted.length === 0) return words.length === wanted.length ? 1 : 0;
  let logSum = 0;
  for (let order = 1; order <= MAX_ORDER; order++) {
    const [own, others] = [counts(words, order), counts(wanted, order)];
    let [matches, total] = order === 1 ? [0, 0] : [1, 1];
    for (const [gram, count] of own) {
      matches += Math.min(count, others.get(gram) ?? 0);
      total += count;
    }
    if (matches === 0) return 0;
    logSum += Math.log(matches / total);
  }
  const brevity = Math.min(0, 1 - wanted.length / words.length);
  return Math.exp(brevity + logSum / MAX_ORDER);
}
