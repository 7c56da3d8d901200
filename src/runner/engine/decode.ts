// The next token of everybody who is decoding, computed together: the weights are read once for all. A
// sequence joins or leaves between any two steps, since each keeps its own keys.
import type { StepContext } from './forward-rows.ts';
import { sampleToken } from './sampler.ts';
import type { Sequence } from './sequence.ts';

function takeToken(sequence: Sequence, logits: Float32Array): void {
  sequence.generated.push(sampleToken(logits, sequence.request.sampling, sequence.random));
}

/** Position of the last generated token: it has been sampled, its K and V are still to be computed. */
const lastPosition = ({ request, generated }: Sequence): number =>
  request.tokens.length + generated.length - 1;

/** Feeds the last generated token of each sequence and samples the next ones. */
export function decodeTogether(sequences: readonly Sequence[], { model }: StepContext): void {
  const { logits, tails } = model.decode(
    sequences.map((sequence) => ({
      id: sequence.generated.at(-1)!,
      position: lastPosition(sequence),
      ...sequence.live.split(model.tf),
    })),
  );
  const values = logits.dataSync<'float32'>();
  logits.dispose();
  sequences.forEach((sequence, at) => {
    sequence.live.replaceTail(tails[at]!, lastPosition(sequence));
    const width = values.length / sequences.length;
    takeToken(sequence, values.subarray(at * width, (at + 1) * width));
  });
}

/** The imported tokens whose turn it is to be computed again, ascending; their old rows are dropped. */
function takeStale(sequence: Sequence, { model }: StepContext, count: number): Int32Array {
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

/**
 * The same for one sequence that computes imported tokens again in the same pass, worst first (KVShare
 * v2, arXiv 2503.16525 §4.3): several rows, some of which may not see others.
 */
export function decodeWithRefresh(sequence: Sequence, step: StepContext): void {
  const { request, generated, live } = sequence;
  const rows = Int32Array.from([
    ...takeStale(sequence, step, dueRefresh(sequence)),
    lastPosition(sequence),
  ]);
  const { kv, logits } = step.model.forward({
    ids: Int32Array.from(rows, (at) => request.tokens[at] ?? generated.at(-1)!),
    positions: rows,
    past: live.joined(step.model.tf),
    pastPositions: live.positions,
    logitRows: 1,
  });
  live.append(kv, rows);
  const values = logits!.dataSync<'float32'>();
  logits!.dispose();
  takeToken(sequence, values);
}
