// Which slot a request should use, and what happens to what the slot holds now. Pure: the adapter does it.
import { KvShareError } from '../../src/errors.ts';
import type { GenerateRequest, ReusePlan, StoredContext } from '../../src/protocol/index.ts';
import type { Slot } from './slot-table.ts';

/** What a plan comes down to on this server. */
export interface Reuse {
  /** The context that it goes on from. */
  readonly segment: string;
  /** Equal tokens at its beginning that are planned. */
  readonly prefix: number;
  /** Shortest stretch behind a cut; 0 = nothing is cut out. */
  readonly closeCutsFrom: number;
}

const unsupported = (): KvShareError =>
  new KvShareError(
    'plan_unsupported',
    'This runner goes on from the beginning of one context, and at most closes up cuts in it.',
  );

/** Null = nothing is imported. Throws `plan_unsupported`. */
export function reuseOf(plan: ReusePlan | null, canCloseCuts: boolean): Reuse | null {
  if (!plan || plan.imports.length === 0) return null;
  const { segment } = plan.imports[0]!;
  let [targetEnd, donorEnd, prefix] = [0, 0, 0];
  const moved: number[] = [];
  for (const { donorStart, targetStart, length, ...entry } of plan.imports) {
    const joins = targetStart === targetEnd && donorStart >= donorEnd;
    if (entry.segment !== segment || !joins) throw unsupported();
    if (donorStart === targetStart) prefix += length;
    else moved.push(length);
    targetEnd += length;
    donorEnd = donorStart + length;
  }
  checkComputed(plan, targetEnd);
  if (moved.length > 0 && !canCloseCuts) throw unsupported();
  return { segment, prefix, closeCutsFrom: moved.length > 0 ? Math.min(...moved) : 0 };
}

/** Nothing can be computed in between; the last token is in any case. */
function checkComputed({ recompute, numTokens, topUp, fullLayers }: ReusePlan, end: number): void {
  const comesFirst = recompute[0]!.start < Math.min(end, numTokens - 1);
  if (comesFirst || topUp || fullLayers > 0) throw unsupported();
}

export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

/** What the book knows of a slot's context. */
export type ContextOf = (slot: Slot) => StoredContext | null;

/**
 * Of idle slots, least recently used first: the one that holds the planned context, or one of the same scope that begins
 * with as much of the prompt, of these the one that loses least; or, for what comes from a file or from nowhere, one that
 * holds nothing, or the first.
 */
export function chooseSlot(
  idle: readonly Slot[],
  request: Pick<GenerateRequest, 'scope' | 'tokens'>,
  reuse: Reuse | null,
  contextOf: ContextOf,
): Slot {
  if (reuse) {
    const serving = idle
      .map((slot) => ({ slot, context: contextOf(slot) }))
      .filter(({ context }) => context !== null && serves(context, request, reuse))
      .map(({ slot, context }) => ({
        slot,
        lost: context!.tokens.length - commonPrefix(context!.tokens, request.tokens),
      }))
      .sort((a, b) => a.lost - b.lost);
    if (serving[0]) return serving[0].slot;
  }
  return idle.find((slot) => contextOf(slot) === null) ?? idle[0]!;
}

/** Whether a request can go on from what a slot holds. The only place that lets one read a context. */
export function serves(
  { segment, scope, tokens }: StoredContext,
  request: Pick<GenerateRequest, 'scope' | 'tokens'>,
  reuse: Reuse,
): boolean {
  if (scope !== request.scope) return false;
  if (segment === reuse.segment) return true;
  return reuse.closeCutsFrom === 0 && commonPrefix(tokens, request.tokens) >= reuse.prefix;
}
