// Tokens that stand for the same thing in two passages: equal tokens in order (longest common subsequence), and
// between them substitutions of a few tokens, one by one from the left. Monotone by construction.
import type { TokenRange } from '../kv/index.ts';

/** The table grows with the square; longer passages are left alone. */
const MAX_TOKENS = 256;
/** A longer change is another statement, not another word. */
const MAX_SUBSTITUTION = 8;
/** Of the target's passage so much must be equal. */
const LEAST_EQUAL = 0.5;

const lengthOf = ({ start, end }: TokenRange): number => end - start;

/** table[i * (m + 1) + j] = longest common subsequence of a[i…] and b[j…]. */
function subsequences(a: Int32Array, b: Int32Array): Uint16Array {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const [down, right] = [table[(i + 1) * width + j]!, table[i * width + j + 1]!];
      table[i * width + j] =
        a[i] === b[j] ? table[(i + 1) * width + j + 1]! + 1 : Math.max(down, right);
    }
  }
  return table;
}

/** Pairs of equal tokens in order, the end of both last. */
function equalPairs(a: Int32Array, b: Int32Array): [number, number][] {
  const table = subsequences(a, b);
  const width = b.length + 1;
  const pairs: [number, number][] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (table[(i + 1) * width + j]! >= table[i * width + j + 1]!) i++;
    else j++;
  }
  return [...pairs, [a.length, b.length]];
}

/**
 * For each token of `target` in its passage the donor position that stands for it, or -1. Null when the passages
 * are too long or have too little in common.
 */
export function alignParaphrase(
  donor: Int32Array,
  source: TokenRange,
  target: Int32Array,
  passage: TokenRange,
): Int32Array | null {
  if (Math.max(lengthOf(source), lengthOf(passage)) > MAX_TOKENS) return null;
  const a = donor.subarray(source.start, source.end);
  const b = target.subarray(passage.start, passage.end);
  const pairs = equalPairs(a, b);
  if (pairs.length - 1 < LEAST_EQUAL * b.length) return null;
  const places = new Int32Array(b.length).fill(-1);
  let [fromA, fromB] = [0, 0];
  for (const [i, j] of pairs) {
    const [removed, inserted] = [i - fromA, j - fromB];
    if (Math.max(removed, inserted) <= MAX_SUBSTITUTION) {
      for (let k = 0; k < Math.min(removed, inserted); k++) {
        places[fromB + k] = source.start + fromA + k;
      }
    }
    if (j < b.length) places[j] = source.start + i;
    [fromA, fromB] = [i + 1, j + 1];
  }
  return places;
}
