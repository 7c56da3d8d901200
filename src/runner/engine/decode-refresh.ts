// Decoding with refresh (KVShare v2, arXiv 2503.16525 §4.3): some imported tokens are computed again in the
// same pass as the next token, worst first. Several rows, some of which may not see others: such a sequence
// steps alone until none is left.
import type { StepContext } from './forward-rows.ts';
import { sampleToken } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { numbersOf, type Work } from './work.ts';

/** The imported tokens whose turn it is to be computed again, ascending; their old rows are dropped. */
export function takeStale(sequence: Sequence, { model }: StepContext, count: number): Int32Array {
  const taken = Int32Array.from(sequence.stale.splice(0, count)).sort();
  const dropped = new Set(taken);
  sequence.live.retain(
    model.tf,
    sequence.live.positions.filter((position) => !dropped.has(position)),
  );
  sequence.refreshed += taken.length;
  return taken;
}

/** How many imported tokens the sequence's next step computes again. */
export function dueRefresh({ request, stale }: Sequence): number {
  return Math.min(request.plan?.decodeRefresh ?? 0, stale.length);
}

/** Feeds the last generated token and the refreshed ones, samples the next. */
export function* decodeWithRefresh(sequence: Sequence, step: StepContext): Work<void> {
  const { request, generated, live } = sequence;
  const rows = Int32Array.from([
    ...takeStale(sequence, step, dueRefresh(sequence)),
    sequence.lastPosition,
  ]);
  const { kv, logits } = step.model.forward({
    ids: Int32Array.from(rows, (at) => request.tokens[at] ?? generated.at(-1)!),
    positions: rows,
    past: live.joined(step.model.tf),
    pastPositions: live.positions,
    logitRows: 1,
  });
  live.append(kv, rows);
  const values = yield* numbersOf(logits!);
  generated.push(sampleToken(values, request.sampling, sequence.random));
}
