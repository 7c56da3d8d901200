// A prompt computed twice, in full and by a plan, and the two compared along an answer. A generator that pauses after
// each chunk, so that the engine can put requests between any two of its steps; what it computed is dropped.
import { divergence, logSoftmax, mostLikely } from '../../distributions.ts';
import type { CompareRequest, Comparison, GenerateRequest } from '../../protocol/index.ts';
import { completePrompt, forcedLogits } from './forced-tokens.ts';
import type { StepContext } from './forward-rows.ts';
import { Sequence } from './sequence.ts';
import type { Work } from './work.ts';

export type Comparing = Work<Comparison | null>;

/** As the engine's own requests, but nothing is kept or sent. */
export function requestOf({ answer, ...request }: CompareRequest): GenerateRequest {
  const sampling = { temperature: 0, topP: 1, seed: 0, maxTokens: answer.length, stopTokens: [] };
  return { ...request, store: false, sampling };
}

/** Log-distributions of the answer's tokens; null when the plan was not applied as given, or memory is short. */
function* distributions(
  request: GenerateRequest,
  answer: readonly number[],
  step: StepContext,
): Work<Float64Array[] | null> {
  const sequence = new Sequence(request, new AbortController().signal);
  try {
    // Nobody waits for it: it gets the room that is left.
    if (!sequence.isLetIn(step.store)) return null;
    while (!sequence.hasKv(step.store)) yield null;
    if (!sequence.hasRoom()) return null;
    const first = yield* completePrompt(sequence, step);
    if (sequence.degraded !== null) return null;
    yield null;
    const logs = [logSoftmax(first)];
    yield* forcedLogits(sequence, step, answer.slice(0, -1), (logits) => {
      logs.push(logSoftmax(logits));
    });
    return logs;
  } finally {
    sequence.drop();
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export function* compare(given: CompareRequest, step: StepContext): Comparing {
  const request = requestOf(given);
  const planned = yield* distributions(request, given.answer, step);
  if (!planned) return null;
  yield null;
  const full = yield* distributions({ ...request, plan: null }, given.answer, step);
  if (!full) return null;
  const kls = full.map((log, i) => divergence(log, planned[i]!));
  const agrees = full.map((log, i) => (mostLikely(log) === mostLikely(planned[i]!) ? 1 : 0));
  return {
    kl1: kls[0]!,
    kl: mean(kls),
    top1: agrees[0] === 1,
    agree: mean(agrees),
    tokens: kls.length,
  };
}
