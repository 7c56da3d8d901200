/** The largest difference between two rows of numbers, over the second one's length. */
export function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let gap = 0;
  for (let i = 0; i < b.length; i++) gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
  return gap;
}
