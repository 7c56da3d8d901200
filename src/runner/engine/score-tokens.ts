// How much each imported token needs computing, by the published measures. Scores have no unit: only
// their order counts.
import type { Tensor1D } from '@tensorflow/tfjs-core';
import type { Tf } from '../backend/index.ts';
import { forwardRows, type StepContext } from './forward-rows.ts';
import { SCORED_LAYER, type FullLayers } from './full-layers.ts';
import type { LiveKv } from './live-kv.ts';
import type { Sequence } from './sequence.ts';
import { numbersOf, type Work } from './work.ts';

/** Ends with one number for each kept position. */
type Scoring = Work<Float32Array>;

/** L1 distance of fresh V from imported V (CacheBlend, arXiv 2405.16444 §4.3). */
function valueDistances(tf: Tf, fresh: LiveKv, imported: LiveKv, at: Int32Array): Tensor1D {
  return tf.tidy(() => {
    const a = fresh.copyRows(tf, at, SCORED_LAYER, SCORED_LAYER + 1);
    const b = imported.copyRows(tf, at, SCORED_LAYER, SCORED_LAYER + 1);
    return tf.sum<Tensor1D>(tf.abs(tf.sub(a.v, b.v)), [0, 1, 3]); // [rows]
  });
}

/** Distance of V alone, or times the attention that the token receives (DHD, arXiv 2503.16525 §4.3). */
export function* deviationScores(
  sequence: Sequence,
  step: StepContext,
  full: FullLayers,
  byAttention: boolean,
): Scoring {
  const attention = byAttention ? new Float64Array(sequence.request.tokens.length) : null;
  yield* full.compute(sequence, step, attention);
  const distances = yield* numbersOf(
    valueDistances(step.model.tf, full.kv, sequence.live, sequence.kept),
  );
  if (!attention) return distances;
  return distances.map((distance, i) => distance * attention[sequence.kept[i]!]!);
}

/**
 * Attention that the fresh queries pay to each imported token, over rows, heads and the layers above the
 * full ones: a pass of its own, whose K and V are thrown away.
 */
export function* queryScores(sequence: Sequence, step: StepContext, full: FullLayers): Scoring {
  const { numLayers } = step.model.config;
  const { tf } = step.model;
  if (full.count > 0) {
    yield* full.compute(sequence, step, null);
    yield null;
  }
  const attention = new Float64Array(sequence.request.tokens.length);
  const positions = sequence.asking;
  const layers = { start: full.count, end: numLayers };
  const hidden = full.hiddenOf(tf, positions);
  const kv = sequence.live.fork(tf, full.count);
  try {
    yield* forwardRows(sequence, step, {
      positions,
      kv,
      part: { first: full.count, end: numLayers, hidden, attentionOf: layers },
      logits: false,
      onChunk: ({ attention: sums, keys }) => {
        sums!.forEach((sum, key) => (attention[keys[key]!]! += sum));
      },
    });
  } finally {
    kv.clear();
    hidden?.dispose();
  }
  return Float32Array.from(sequence.kept, (position) => attention[position]!);
}
