// Which target tokens are computed fresh and why, painted token by token: later paint only covers what a
// weaker reason left. One pass turns the map into the plan's ranges, sorted and never overlapping.
import type { PlanRecompute, RecomputeReason } from '../protocol/index.ts';

/** Weakest first. */
const order: readonly RecomputeReason[] = ['delimiter', 'seam', 'closure', 'changed', 'suffix'];
const DELIMITER = 1;
const REPAIR = order.indexOf('closure') + 1;

export class RecomputeMap {
  readonly #paint: Uint8Array;

  constructor(numTokens: number) {
    this.#paint = new Uint8Array(numTokens);
  }

  mark(start: number, end: number, reason: RecomputeReason): void {
    const strength = order.indexOf(reason) + 1;
    for (let at = start; at < end; at++) {
      if (this.#paint[at]! < strength) this.#paint[at] = strength;
    }
  }

  isFresh(at: number): boolean {
    return this.#paint[at] !== 0;
  }

  count(start: number, end: number): number {
    let fresh = 0;
    for (let at = start; at < end; at++) if (this.#paint[at] !== 0) fresh++;
    return fresh;
  }

  /** Tokens that are new, or the question: no repairs of imported ones. */
  countNew(): number {
    return this.#paint.reduce((sum, strength) => sum + (strength > REPAIR ? 1 : 0), 0);
  }

  /**
   * Joins recomputed stretches from `start` on that lie fewer than `gap` tokens apart. Delimiters stay
   * single: they neither join nor are joined.
   */
  closeGaps(start: number, gap: number): void {
    let lastEnd = -1;
    for (let at = start; at < this.#paint.length; at++) {
      if (this.#paint[at]! <= DELIMITER) continue;
      if (lastEnd >= 0 && at > lastEnd && at - lastEnd < gap) {
        for (let hole = lastEnd; hole < at; hole++) this.#paint[hole] = this.#paint[lastEnd - 1]!;
      }
      lastEnd = at + 1;
    }
  }

  ranges(): PlanRecompute[] {
    const ranges: PlanRecompute[] = [];
    let start = 0;
    for (let at = 1; at <= this.#paint.length; at++) {
      if (at < this.#paint.length && this.#paint[at] === this.#paint[start]) continue;
      const strength = this.#paint[start]!;
      if (strength > 0) ranges.push({ start, end: at, reason: order[strength - 1]! });
      start = at;
    }
    return ranges;
  }
}
