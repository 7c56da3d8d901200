// Half-open token ranges [start, end) and the little algebra that plans need. Pure.

export interface TokenRange {
  readonly start: number;
  readonly end: number;
}

/** Sorts and joins ranges that overlap, touch, or lie less than `gap` tokens apart. */
export function mergeRanges(ranges: readonly TokenRange[], gap = 0): TokenRange[] {
  const sorted = [...ranges].filter((r) => r.end > r.start).sort((a, b) => a.start - b.start);
  const merged: TokenRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last && (range.start <= last.end || range.start - last.end < gap)) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      merged.push(range);
    }
  }
  return merged;
}

/** What of `whole` is not covered by `parts` (sorted, not overlapping). */
export function complement(whole: TokenRange, parts: readonly TokenRange[]): TokenRange[] {
  const holes: TokenRange[] = [];
  let at = whole.start;
  for (const part of parts) {
    if (part.start > at) holes.push({ start: at, end: Math.min(part.start, whole.end) });
    at = Math.max(at, part.end);
  }
  if (at < whole.end) holes.push({ start: at, end: whole.end });
  return holes.filter((hole) => hole.end > hole.start);
}

/** Token positions of `ranges`, ascending. */
export function* positions(ranges: readonly TokenRange[]): Generator<number> {
  for (const range of ranges) for (let at = range.start; at < range.end; at++) yield at;
}
