// Which equal runs cover the target: longest first, every target token at most once. Ties go to a donor
// that is used already (then an edit can be told from a move), to the run at its own position, and to the
// newest donor (they come first).
import type { Donor, EqualRun, TokenRange } from '../kv/index.ts';
import { cutRun, targetEnd, type Piece } from './piece.ts';

/** Attention gathers on the first positions of a context (the sink); their KV fits nowhere else. */
const SINK_TOKENS = 4;

export interface Choice {
  /** The part of the target that is to be covered. */
  readonly window: TokenRange;
  readonly minRun: number;
  /** Donor of the base prefix. */
  readonly baseDonor: Donor | null;
}

function withoutSink(run: EqualRun): EqualRun | null {
  if (run.donorStart === run.targetStart) return run;
  const inSink = Math.max(0, SINK_TOKENS - run.donorStart);
  return cutRun(run, run.targetStart + inSink, targetEnd(run));
}

/** Runs inside the window, not overlapping, each at least `minRun`, by target position. */
export function chooseRuns(
  runs: readonly EqualRun[],
  { window, minRun, baseDonor }: Choice,
): Piece[] {
  let open = runs
    .map((run) => cutRun(run, window.start, window.end))
    .map((run) => run && withoutSink(run))
    .filter((run) => run !== null && run.length >= minRun) as EqualRun[];
  const used = new Set<Donor>(baseDonor ? [baseDonor] : []);
  const chosen: EqualRun[] = [];
  while (open.length > 0) {
    const best = open.reduce((a, b) => (compareRuns(b, a, used) > 0 ? b : a));
    chosen.push(best);
    used.add(best.donor);
    open = cutAround(open, best, minRun);
  }
  return chosen
    .sort((a, b) => a.targetStart - b.targetStart)
    .map((run) => ({ ...run, exact: false }));
}

function compareRuns(a: EqualRun, b: EqualRun, used: ReadonlySet<Donor>): number {
  if (a.length !== b.length) return a.length - b.length;
  const inPlace = (run: EqualRun): number => (run.donorStart === run.targetStart ? 1 : 0);
  return Number(used.has(a.donor)) - Number(used.has(b.donor)) || inPlace(a) - inPlace(b);
}

/** What is left of `open` beside the target tokens that `taken` covers. */
function cutAround(open: readonly EqualRun[], taken: EqualRun, minRun: number): EqualRun[] {
  const [start, end] = [taken.targetStart, targetEnd(taken)];
  const left: EqualRun[] = [];
  for (const run of open) {
    if (targetEnd(run) <= start || run.targetStart >= end) {
      left.push(run);
      continue;
    }
    for (const part of [cutRun(run, run.targetStart, start), cutRun(run, end, targetEnd(run))]) {
      if (part && part.length >= minRun) left.push(part);
    }
  }
  return left;
}
