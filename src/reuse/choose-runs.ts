// From all equal runs to the pieces that serve the target: cut to the part that is open, thinned to those that
// can matter, covered at least cost, and short pieces that stand alone taken out again.
import type { Donor, EqualRun } from '../kv/index.ts';
import { BLOCK_TAIL } from './closure.ts';
import { coverTarget, type CoverContext } from './cover.ts';
import { cutRun, donorEnd, targetEnd, type Piece } from './piece.ts';
import { endsBlock } from './token-classes.ts';

/** Attention gathers on the first positions of a context (the sink); their KV fits nowhere else. */
const SINK_TOKENS = 4;

/** The search takes time in the square of the runs; a passage that many donors have needs only a few. */
const MAX_RUNS = 24;

function withoutSink(run: EqualRun): EqualRun | null {
  if (run.donorStart === run.targetStart) return run;
  const inSink = Math.max(0, SINK_TOKENS - run.donorStart);
  return cutRun(run, run.targetStart + inSink, targetEnd(run));
}

/** The longest runs that cover the target between them, without overlaps. */
function longestFirst(runs: readonly EqualRun[], minRun: number): Set<EqualRun> {
  const chosen = new Set<EqualRun>();
  let open = runs.map((run) => ({ run, part: run }));
  while (open.length > 0) {
    const best = open.reduce((a, b) => (b.part.length > a.part.length ? b : a));
    chosen.add(best.run);
    const [start, end] = [best.part.targetStart, targetEnd(best.part)];
    open = open.flatMap(({ run, part }) => {
      if (targetEnd(part) <= start || part.targetStart >= end) return [{ run, part }];
      return [cutRun(part, part.targetStart, start), cutRun(part, end, targetEnd(part))]
        .filter((left) => left !== null && left.length >= minRun)
        .map((left) => ({ run, part: left! }));
    });
  }
  return chosen;
}

/** At most MAX_RUNS: what covers most, then other runs of the same donors, then the rest; order is kept. */
function thin(runs: readonly EqualRun[], base: Piece | null, minRun: number): EqualRun[] {
  if (runs.length <= MAX_RUNS) return [...runs];
  const needed = longestFirst(runs, minRun);
  const donors = new Set<Donor | undefined>(
    [...needed].map(({ donor }) => donor).concat(base?.donor ?? []),
  );
  const rank = (run: EqualRun): number => (needed.has(run) ? 2 : donors.has(run.donor) ? 1 : 0);
  const ranked = [...runs].sort((a, b) => rank(b) - rank(a) || b.length - a.length);
  const kept = new Set(ranked.slice(0, Math.max(MAX_RUNS, needed.size)));
  return runs.filter((run) => kept.has(run));
}

/** Whether at least half of the piece is whole blocks: those speak for themselves. */
function isMostlyWholeBlocks(piece: Piece, { target, classes }: CoverContext): boolean {
  const [start, end] = [piece.targetStart, targetEnd(piece)];
  const ends: number[] = [];
  for (let at = start - 1; at < Math.min(end + BLOCK_TAIL, target.length); at++) {
    if (at < 0 || endsBlock(classes, target[at]!)) ends.push(Math.min(at + 1, end));
  }
  return ends.length > 0 && (ends.at(-1)! - ends[0]!) * 2 >= piece.length;
}

/** Whether two pieces stand side by side in donor and target alike. */
function areNeighbours(left: Piece | undefined, right: Piece | undefined, gap: number): boolean {
  if (left === undefined || left.donor !== right?.donor) return false;
  const inDonor = right.donorStart - donorEnd(left);
  return inDonor >= 0 && inDonor <= gap && right.targetStart - targetEnd(left) <= gap;
}

/**
 * The context gate: a fragment from the middle of a block, hardly longer than the shortest run and with
 * nothing of its surroundings in the target, says little about what it means here.
 */
function gate(pieces: readonly Piece[], base: Piece | null, context: CoverContext): Piece[] {
  const { minRun } = context.options;
  return pieces.filter((piece, i) => {
    if (piece.length >= 2 * minRun || isMostlyWholeBlocks(piece, context)) return true;
    const left = i > 0 ? pieces[i - 1] : (base ?? undefined);
    return areNeighbours(left, piece, minRun) || areNeighbours(piece, pieces[i + 1], minRun);
  });
}

/** Pieces inside the window, not overlapping, by target position; `runs` newest donor first. */
export function chooseRuns(
  runs: readonly EqualRun[],
  base: Piece | null,
  context: CoverContext,
): Piece[] {
  const { window } = context;
  const { minRun } = context.options;
  const open = runs
    .map((run) => cutRun(run, window.start, window.end))
    .map((run) => run && withoutSink(run))
    .filter((run) => run !== null && run.length >= minRun) as EqualRun[];
  return gate(coverTarget(thin(open, base, minRun), base, context), base, context);
}
