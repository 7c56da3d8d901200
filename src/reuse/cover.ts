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

interface Rank {
  readonly cost: number;
  readonly tie: number;
}

/** Target [.., end) is served at this cost; `piece` is what serves the last part of it. */
interface State extends Rank {
  readonly end: number;
  readonly piece: Piece | null;
  readonly before: State | null;
}

const SWITCH = 1;
const MOVED = 1e-3;
/** A seam that begins with the last block's full stop is short of its own block. */
const INSIDE_BLOCK = 1e-4;
const OLDER = 1e-6;

const isBetter = (a: Rank, b: Rank | undefined): boolean =>
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
    this.#extend([start]);
    for (const end of ends) {
      const states = this.#best.map((of) => of.get(end)).filter((state) => state !== undefined);
      states.sort((a, b) => a.cost - b.cost || a.tie - b.tie);
      const [first] = states;
      if (!first) continue;
      if (isBetter(total(first), total(best))) best = first;
      this.#extend(states);
    }
    const pieces: Piece[] = [];
    for (let state: State = best; state.before; state = state.before) pieces.push(state.piece!);
    return pieces.reverse();
  }

  /** Every piece that can follow; `states` end at the same place, the best first. */
  #extend(states: readonly State[]): void {
    const { end } = states[0]!;
    this.#runs.forEach((run, i) => {
      const piece = cutRun(run, Math.max(run.targetStart, end), targetEnd(run));
      if (!piece) return;
      const before = bestBefore(states, piece);
      if (before) this.#offer(before, i, { ...piece, exact: false });
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

  /** Every stop of the run at which the piece may end. */
  #offer(before: State, run: number, piece: Piece): void {
    const { importCost, options, target, classes } = this.#context;
    const best = this.#best[run]!;
    const start = piece.targetStart;
    const refreshEnd = this.#refreshEnd(run, piece);
    // What is left between two recomputed stretches must be worth a gap of its own.
    const least = refreshEnd + Math.max(1, options.mergeGap);
    const tie =
      before.tie +
      switchTie(before, piece) +
      (piece.donorStart === start ? 0 : MOVED) +
      (start === 0 || endsBlock(classes, target[start - 1]!) ? 0 : INSIDE_BLOCK) +
      run * OLDER;
    for (const stop of this.#stops[run]!) {
      if (stop < least) continue;
      const delimiters = this.#delimiters[stop]! - this.#delimiters[refreshEnd]!;
      const fresh = refreshEnd - before.end + delimiters;
      const imported = stop - refreshEnd - delimiters;
      const cost = before.cost + fresh + imported * importCost;
      if (!isBetter({ cost, tie }, best.get(stop))) continue;
      best.set(stop, { end: stop, cost, tie, piece: { ...piece, length: stop - start }, before });
    }
  }
}

const switchTie = ({ piece }: State, next: Piece | EqualRun): number =>
  piece && piece.donor !== next.donor ? SWITCH : 0;

/** The best of the states that the piece does not merely go on from: what follows costs the same behind each. */
function bestBefore(states: readonly State[], piece: EqualRun): State | null {
  let best: State | null = null;
  for (const state of states) {
    if (best && state.cost > best.cost) break;
    if (continues(state.piece, piece)) continue;
    const isFirst =
      !best || state.tie + switchTie(state, piece) < best.tie + switchTie(best, piece);
    if (isFirst) best = state;
  }
  return best;
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
