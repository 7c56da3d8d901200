// Which equal runs cover the target: longest first, every target token at most once. Ties go to a donor
// that is used already, then to the run at its own position, then to the newest donor (they come last).
import type { Donor, EqualRun } from '../kv/index.ts';
import { complement, type TokenRange } from '../kv/index.ts';
import { cutRun, targetEnd, type Piece } from './piece.ts';

/** Attention gathers on the first positions of a context (the sink); their KV fits nowhere else. */
const SINK_TOKENS = 4;

function withoutSink(run: EqualRun): EqualRun | null {
  if (run.donorStart === run.targetStart) return run;
  const inSink = Math.max(0, SINK_TOKENS - run.donorStart);
  return cutRun(run, run.targetStart + inSink, targetEnd(run));
}

/** Runs inside [window.start, window.end), not overlapping, each at least `minRun`, by target position. */
export function chooseRuns(runs: readonly EqualRun[], window: TokenRange, minRun: number): Piece[] {
  const usable = (run: EqualRun | null): run is EqualRun => run !== null && run.length >= minRun;
  let open = runs
    .map((run) => cutRun(run, window.start, window.end))
    .map((run) => run && withoutSink(run))
    .filter(usable)
    // Newest first, so that a stable choice of the first maximum prefers it.
    .reverse();
  const used = new Set<Donor>();
  const chosen: EqualRun[] = [];
  while (open.length > 0) {
    const best = open.reduce((a, b) => (compareRuns(b, a, used) > 0 ? b : a));
    chosen.push(best);
    chosen.sort((a, b) => a.targetStart - b.targetStart);
    used.add(best.donor);
    const taken = { start: best.targetStart, end: targetEnd(best) };
    open = open.flatMap((run) => cutAround(run, taken)).filter(usable);
  }
  return chosen.map((run) => ({ ...run, exact: false }));
}

function compareRuns(a: EqualRun, b: EqualRun, used: ReadonlySet<Donor>): number {
  const inPlace = (run: EqualRun): number => (run.donorStart === run.targetStart ? 1 : 0);
  return (
    a.length - b.length ||
    Number(used.has(a.donor)) - Number(used.has(b.donor)) ||
    inPlace(a) - inPlace(b)
  );
}

function cutAround(run: EqualRun, taken: TokenRange): EqualRun[] {
  const whole = { start: run.targetStart, end: targetEnd(run) };
  if (taken.end <= whole.start || taken.start >= whole.end) return [run];
  return complement(whole, [taken])
    .map(({ start, end }) => cutRun(run, start, end))
    .filter((part) => part !== null);
}
