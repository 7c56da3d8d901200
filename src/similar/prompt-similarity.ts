// How alike two prompts are: the cosine of their passages' weighted means.
import type { Weighted } from './passage-table.ts';

export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export function addScaled(sum: Float32Array, vector: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += weight * vector[i]!;
}

/** Null for the zero vector. */
export function normalised(vector: Float32Array): Float32Array | null {
  const norm = Math.sqrt(cosine(vector, vector));
  return norm > 0 ? vector.map((x) => x / norm) : null;
}

/** Of unit length; null when there is nothing, or nothing is left. */
export function meanOf(passages: readonly Weighted[]): Float32Array | null {
  const first = passages[0];
  if (!first) return null;
  const sum = new Float32Array(first.vector.length);
  for (const { vector, weight } of passages) addScaled(sum, vector, weight);
  return normalised(sum);
}

/** -1..1; 0 when one of them says nothing. */
export function promptSimilarity(a: readonly Weighted[], b: readonly Weighted[]): number {
  const [left, right] = [meanOf(a), meanOf(b)];
  return left && right ? Math.min(1, cosine(left, right)) : 0;
}

/** Whether some passage of one says nearly what one of the other says; what most prompts hold does not count. */
export function sharePassage(
  a: readonly Weighted[],
  b: readonly Weighted[],
  similarity: number,
): boolean {
  const telling = (passage: Weighted): boolean => passage.rarity > Math.LN2;
  return a.some(
    (one) =>
      telling(one) &&
      b.some((other) => telling(other) && cosine(one.vector, other.vector) >= similarity),
  );
}
