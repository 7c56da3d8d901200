// Which token of a prompt is what: exact, imported or recomputed, and why.
import type { ReusePlan } from '../protocol/index.ts';

export type Mark = 'exact' | 'imported' | 'recomputed';

/** A stretch of the prompt that is treated alike. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly mark: Mark;
  /** Why it is recomputed. */
  readonly reason: string | null;
  /** Whose KV is imported. */
  readonly segment: string | null;
  readonly text: string;
}

/** Without texts. */
export function marksOf(plan: ReusePlan | null, numTokens: number): Omit<Span, 'text'>[] {
  const marks: Omit<Span, 'text' | 'start' | 'end'>[] = Array.from({ length: numTokens }, () => ({
    mark: 'recomputed',
    reason: plan ? 'changed' : 'cold',
    segment: null,
  }));
  for (const { segment, targetStart, length, exact } of plan?.imports ?? []) {
    const mark = { mark: exact ? 'exact' : 'imported', reason: null, segment } as const;
    marks.fill(mark, targetStart, targetStart + length);
  }
  for (const { start, end, reason } of plan?.recompute ?? []) {
    marks.fill({ mark: 'recomputed', reason, segment: null }, start, end);
  }
  const spans: Omit<Span, 'text'>[] = [];
  marks.forEach((mark, at) => {
    const last = spans.at(-1);
    const same = last?.mark === mark.mark && last.reason === mark.reason;
    if (same && last.segment === mark.segment) spans[spans.length - 1] = { ...last, end: at + 1 };
    else spans.push({ ...mark, start: at, end: at + 1 });
  });
  return spans;
}
