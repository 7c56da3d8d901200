// Which parts of which runs cover the target: the cheapest sequence of pieces, by dynamic programming over the
// points where one run can give way to another. Cost = tokens that have to be computed (gaps, seams, closures,
// delimiters) + what importing the others takes. Ties go to fewer donors, then to pieces at their own position,
// then to recent donors.
//
//   target    |---------------------------------------|
//   run a         [==================)
//   run b                  [=====================)
//   a piece of a, left where b starts, at the last block start that both have, where b is about to run out, or at
//   its own end
import type { EqualRun, TokenRange } from '../kv/index.ts';
import { BLOCK_TAIL, refreshOf, type ChangeContext } from './closure.ts';
import type { ReuseOptions } from './options.ts';
import { cutRun, targetEnd, type Piece } from './piece.ts';
import { endsBlock, isDelimiter } from './token-classes.ts';

export interface CoverContext extends ChangeContext {
  /** The part of the target that is to be covered. */
  readonly window: TokenRange;
  readonly options: ReuseOptions;
  /** Cost of importing a token, as a share of computing it. */
  readonly importCost: number;
}

/** Target [.., end) is served at this cost; `piece` is what serves the last part of it. */
interface State {
  readonly end: number;
  readonly cost: number;
  readonly tie: number;
  readonly piece: Piece | null;
  readonly before: State | null;
}

const SWITCH = 1;
const MOVED = 1e-3;
/** A seam that begins with the last block's full stop is short of its own block. */
const INSIDE_BLOCK = 1e-4;
const OLDER = 1e-6;

const isBetter = (a: State, b: State | undefined): boolean =>
  b === undefined || a.cost < b.cost || (a.cost === b.cost && a.tie < b.tie);

/** stops[i] = target positions at which run i can give way, ascending; its own end is the last. */
function findStops(runs: readonly EqualRun[], context: CoverContext): number[][] {
  const { target, classes, options } = context;
  const least = options.seam + Math.max(1, options.mergeGap);
  return runs.map((run) => {
    const stops = new Set([targetEnd(run)]);
    for (const other of runs) {
      const from = Math.max(run.targetStart, other.targetStart);
      let to = Math.min(targetEnd(run), targetEnd(other));
      if (other === run || from >= to) continue;
      if (other.targetStart > run.targetStart) stops.add(other.targetStart);
      // The last place where the other run still has more than its seam to give.
      const last = targetEnd(other) - least;
      for (const stop of [last, last - BLOCK_TAIL]) if (stop > from && stop < to) stops.add(stop);
      while (to > from && !endsBlock(classes, target[to - 1]!)) to--;
      if (to > from) stops.add(to);
    }
    return [...stops].sort((a, b) => a - b);
  });
}

/** sums[i] = delimiters in target[0, i) that would be refreshed. */
function countDelimiters({ target, classes, options }: CoverContext): Int32Array {
  const sums = new Int32Array(target.length + 1);
  for (let at = 0; at < target.length; at++) {
    sums[at + 1] =
      sums[at]! + (options.delimiterRefresh && isDelimiter(classes, target[at]!) ? 1 : 0);
  }
  return sums;
}

class Cover {
  readonly #context: CoverContext;
  readonly #runs: readonly EqualRun[];
  readonly #stops: readonly (readonly number[])[];
  readonly #delimiters: Int32Array;
  /** Best state that ends at a stop of a run, by run and stop. */
  readonly #best: Map<number, State>[];
  /** Where recomputing ends, by run and start of the piece. */
  readonly #refreshEnds: Map<number, number>[];

  constructor(runs: readonly EqualRun[], context: CoverContext) {
    this.#context = context;
    this.#runs = runs;
    this.#stops = findStops(runs, context);
    this.#delimiters = countDelimiters(context);
    this.#best = runs.map(() => new Map<number, State>());
    this.#refreshEnds = runs.map(() => new Map<number, number>());
  }

  solve(base: Piece | null): Piece[] {
    const { window } = this.#context;
    const start: State = { end: window.start, cost: 0, tie: 0, piece: base, before: null };
    let best = start;
    const total = (state: State): State => ({
      ...state,
      cost: state.cost + window.end - state.end,
    });
    const ends = [...new Set(this.#stops.flat())].sort((a, b) => a - b);
    this.#extend(start);
    for (const end of ends) {
      for (const states of this.#best) {
        const state = states.get(end);
        if (!state) continue;
        if (isBetter(total(state), total(best))) best = state;
        this.#extend(state);
      }
    }
    const pieces: Piece[] = [];
    for (let state: State = best; state.before; state = state.before) pieces.push(state.piece!);
    return pieces.reverse();
  }

  /** Every piece that can follow `state`. */
  #extend(state: State): void {
    this.#runs.forEach((run, i) => {
      const rest = cutRun(run, Math.max(run.targetStart, state.end), targetEnd(run));
      if (!rest || continues(state.piece, rest)) return;
      const piece: Piece = { ...rest, exact: false };
      const refreshEnd = this.#refreshEnd(i, piece);
      for (const stop of this.#stops[i]!) this.#offer(state, i, { piece, stop }, refreshEnd);
    });
  }

  #refreshEnd(run: number, piece: Piece): number {
    const known = this.#refreshEnds[run]!;
    let end = known.get(piece.targetStart);
    if (end === undefined) {
      end = refreshOf(piece, this.#context).end;
      known.set(piece.targetStart, end);
    }
    return end;
  }

  #offer(
    state: State,
    run: number,
    { piece, stop }: { piece: Piece; stop: number },
    refreshEnd: number,
  ): void {
    const { importCost, options, target, classes } = this.#context;
    const start = piece.targetStart;
    // What is left between two recomputed stretches must be worth a gap of its own.
    if (stop - refreshEnd < Math.max(1, options.mergeGap)) return;
    const delimiters = this.#delimiters[stop]! - this.#delimiters[refreshEnd]!;
    const fresh = refreshEnd - state.end + delimiters;
    const imported = stop - refreshEnd - delimiters;
    const tie =
      (state.piece && state.piece.donor !== piece.donor ? SWITCH : 0) +
      (piece.donorStart === start ? 0 : MOVED) +
      (start === 0 || endsBlock(classes, target[start - 1]!) ? 0 : INSIDE_BLOCK) +
      run * OLDER;
    const next: State = {
      end: stop,
      cost: state.cost + fresh + imported * importCost,
      tie: state.tie + tie,
      piece: { ...piece, length: stop - start },
      before: state,
    };
    if (isBetter(next, this.#best[run]!.get(stop))) this.#best[run]!.set(stop, next);
  }
}

/** Whether `piece` only goes on where `before` was left. */
const continues = (before: Piece | null, piece: EqualRun): boolean =>
  before?.donor === piece.donor &&
  targetEnd(before) === piece.targetStart &&
  before.donorStart + before.length === piece.donorStart;

/** Pieces by target position; `base` is what serves the target up to the window, `runs` the newest first. */
export const coverTarget = (
  runs: readonly EqualRun[],
  base: Piece | null,
  context: CoverContext,
): Piece[] => new Cover(runs, context).solve(base);
