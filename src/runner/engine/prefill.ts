// From imported KV to the logits behind the prompt, in up to three stages, each chunk by chunk:
//
//   full layers   every token but the exact imports through layers [0, L)      fullLayers, v-deviation, dhd
//   choice        scores → imported tokens that are recomputed besides         topUp
//   deep layers   the recompute set with its picks through layers [L, end)     always
//
// The recompute set only shrinks with depth: from layer L on, what was not picked keeps its imported KV.
import type { TopUp } from '../../protocol/index.ts';
import { chooseTokens, refreshOrder } from './choose-tokens.ts';
import { forwardRows, type StepContext } from './forward-rows.ts';
import { FullLayers, SCORED_LAYER } from './full-layers.ts';
import { deviationScores, queryScores } from './score-tokens.ts';
import type { Prefill, Sequence } from './sequence.ts';
import type { Work } from './work.ts';

/** How many first layers this plan computes for every token. */
function fullLayersOf({ request: { plan } }: Sequence): number {
  const scored = plan?.topUp && plan.topUp.selector !== 'query-attention' ? SCORED_LAYER + 1 : 0;
  return Math.max(plan?.fullLayers ?? 0, scored);
}

/** The choice: picks join the recompute set, the rest waits for its turn while decoding. */
function addPicks(sequence: Sequence, scores: Float32Array, topUp: TopUp): void {
  if (!scores.every(Number.isFinite)) throw new Error('a score is not a number');
  const { kept } = sequence;
  const picked = chooseTokens(kept, scores, topUp);
  if (sequence.request.plan!.decodeRefresh > 0) {
    sequence.stale = refreshOrder(kept, scores, new Set(picked));
  }
  sequence.addFresh(picked);
  sequence.counts.toppedUp = picked.length;
}

/** Drops the imported rows that are computed after all, and the layers that were computed in full. */
function dropReplaced(sequence: Sequence, { model }: StepContext, firstLayer: number): void {
  const { live, fresh } = sequence;
  const computed = new Set(fresh);
  const left = live.positions.filter((position) => !computed.has(position));
  if (left.length < live.positions.length || firstLayer > 0)
    live.retain(model.tf, left, firstLayer);
}

function* wholeDepth(sequence: Sequence, step: StepContext): Prefill {
  const { fresh: positions, live: kv, drift } = sequence;
  const logits = yield* forwardRows(sequence, step, { positions, kv, drift, logits: true });
  sequence.endDrift();
  return logits;
}

function* firstStages(sequence: Sequence, step: StepContext, full: FullLayers): Work<void> {
  const topUp = sequence.request.plan!.topUp;
  if (topUp?.selector === 'query-attention') {
    addPicks(sequence, yield* queryScores(sequence, step, full), topUp);
  } else if (topUp) {
    const byAttention = topUp.selector === 'dhd';
    addPicks(sequence, yield* deviationScores(sequence, step, full, byAttention), topUp);
  } else {
    yield* full.compute(sequence, step, null);
  }
  yield null;
}

function* deepLayers(sequence: Sequence, step: StepContext, full: FullLayers): Prefill {
  const { live, fresh } = sequence;
  const { tf, config } = step.model;
  const start = performance.now();
  dropReplaced(sequence, step, full.count);
  const hidden = full.hiddenOf(tf, fresh);
  sequence.timings.overheadMs += performance.now() - start;
  try {
    const order = Int32Array.from([...live.positions, ...fresh]);
    const logits = yield* forwardRows(sequence, step, {
      positions: fresh,
      kv: live,
      part: hidden ? { first: full.count, end: config.numLayers, hidden } : undefined,
      logits: true,
    });
    // All layers need the same order of rows from here on.
    if (full.count > 0) live.prependLayers(tf, full.kv.copyRows(tf, order));
    return logits;
  } finally {
    hidden?.dispose();
  }
}

/** Prefill with all that the plan asks for. */
export function* prefill(sequence: Sequence, step: StepContext): Prefill {
  const plan = sequence.request.plan;
  const count = fullLayersOf(sequence);
  const plain = sequence.kept.length === 0 || (count === 0 && !plan?.topUp);
  if (plain) return yield* wholeDepth(sequence, step);
  if (count >= step.model.config.numLayers) {
    sequence.addFresh(sequence.kept);
    dropReplaced(sequence, step, 0);
    return yield* wholeDepth(sequence, step);
  }
  const full = new FullLayers(count);
  try {
    yield* firstStages(sequence, step, full);
    return yield* deepLayers(sequence, step, full);
  } finally {
    full.dispose();
  }
}
