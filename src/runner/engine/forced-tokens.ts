// The distributions along tokens that are given instead of drawn (teacher forcing), computed behind a finished
// prefill; imported tokens are refreshed on the way where the plan says so.
import { dueRefresh, takeStale } from './decode-refresh.ts';
import type { StepContext } from './forward-rows.ts';
import { prefill } from './prefill.ts';
import type { Prefill, Sequence } from './sequence.ts';
import { startSequence } from './start-sequence.ts';
import { numbersOf, type Work } from './work.ts';

/** Rows with logits of one pass: 12 MB. */
const LOGIT_ROWS = 64;

/** Imports and computes the whole prompt, a chunk a step; the logits behind it. */
export function* completePrompt(sequence: Sequence, step: StepContext): Prefill {
  startSequence(sequence, step);
  return yield* prefill(sequence, step);
}

/** `onLogits` gets those behind each of these tokens, computed behind what the sequence holds. */
export function* forcedLogits(
  sequence: Sequence,
  step: StepContext,
  tokens: readonly number[],
  onLogits: (logits: Float32Array) => void,
): Work<void> {
  const { request, generated, live } = sequence;
  const { tf } = step.model;
  for (let at = 0; at < tokens.length;) {
    const due = dueRefresh(sequence);
    const count = due > 0 ? 1 : Math.min(LOGIT_ROWS, tokens.length - at);
    const stale = due > 0 ? takeStale(sequence, step, due) : [];
    const start = sequence.numTokens;
    generated.push(...tokens.slice(at, at + count));
    const rows = Int32Array.from([...stale, ...Array.from({ length: count }, (_, i) => start + i)]);
    const { kv, logits } = step.model.forward({
      ids: Int32Array.from(
        rows,
        (row) => request.tokens[row] ?? generated[row - request.tokens.length]!,
      ),
      positions: rows,
      past: live.joined(tf),
      pastPositions: live.positions,
      logitRows: count,
    });
    live.append(kv, rows);
    const values = yield* numbersOf(logits!);
    const width = values.length / count;
    for (let row = 0; row < count; row++) onLogits(values.subarray(row * width, (row + 1) * width));
    at += count;
  }
}
