// What one engine step can do to one sequence: prefill a chunk, keep (start-sequence.ts: import, decode.ts:
// the next tokens). Each runs to its end without yielding, so a step is also the grain of cancellation.
import { viewLength } from '../store/kv-page.ts';
import type { StepContext } from './forward-rows.ts';
import { prefill } from './prefill.ts';
import { sampleToken } from './sampler.ts';
import type { Prefill, Sequence } from './sequence.ts';
import { advance } from './work.ts';

/** Computes the next chunk; behind the last one samples the first token and returns true. */
export async function prefillChunk(sequence: Sequence, step: StepContext): Promise<boolean> {
  const start = performance.now();
  sequence.prefill ??= prefill(sequence, step);
  const logits = await goOn(sequence, sequence.prefill);
  sequence.timings.prefillMs += performance.now() - start;
  if (!logits) return false;
  sequence.prefill = null;
  sequence.generated.push(sampleToken(logits, sequence.request.sampling, sequence.random));
  sequence.phase = 'keep';
  return true;
}

/** Null before the end. A top-up or full layers that fail cost time, not the answer; a plain prefill has nothing to fall back to. */
async function goOn(sequence: Sequence, running: Prefill): Promise<Float32Array | null> {
  try {
    const state = await advance(running);
    return state.done ? state.value : null;
  } catch (error) {
    const { plan } = sequence.request;
    const extras = plan !== null && (plan.topUp !== null || plan.fullLayers > 0);
    if (!extras || sequence.degraded === 'import-failed') throw error;
    sequence.goCold();
    return null;
  }
}

/** Keeps the prompt's KV for later requests; runs behind the first token, never before it. */
export function keepPrompt(sequence: Sequence, { model, store }: StepContext): void {
  sequence.phase = 'decode';
  const { request, exactTokens } = sequence;
  if (!request.store) return;
  // The donor may have been evicted while this prompt was computed; its pages are gone then.
  const alive = sequence.sharedViews.every((view) => view.page.holders.size > 0);
  const sharedViews = alive ? sequence.sharedViews : [];
  const shared = sharedViews.reduce((sum, view) => sum + viewLength(view), 0);
  sequence.stored = store.put({
    context: {
      scope: request.scope,
      owner: request.owner,
      tokens: request.tokens,
      exactTokens,
      promptTokens: request.tokens.length,
    },
    shared: sharedViews,
    makePage: () =>
      shared === 0
        ? sequence.live.shareOrdered(model.tf)
        : sequence.live.copyRange(model.tf, shared, request.tokens.length),
  });
  if (sequence.stored) sequence.events.push({ type: 'stored', context: sequence.stored });
}

/** Adds the answer's KV behind the stored prompt, for the next turn of the conversation. */
export function keepAnswer(sequence: Sequence, { model, store }: StepContext): void {
  const { request, generated, stored } = sequence;
  const computed = sequence.live.positions.length - request.tokens.length;
  if (!stored || computed <= 0) return;
  const tokens = [...request.tokens, ...generated.slice(0, computed)];
  const extended = store.extend(stored.segment, tokens, () =>
    sequence.live.copyRange(model.tf, request.tokens.length, tokens.length),
  );
  if (extended) sequence.events.push({ type: 'stored', context: extended });
}
