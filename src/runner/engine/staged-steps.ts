// What one engine step does to a sequence whose plan asks for more than ranges, and the way back when it fails.
import type { Tensor2D } from '@tensorflow/tfjs-core';
import type { ReusePlan } from '../../protocol/index.ts';
import type { Transformer } from '../model/transformer.ts';
import type { ImportedKv } from './import-kv.ts';
import { disposeKv } from './kv-rows.ts';
import { sampleToken } from './sampler.ts';
import type { Sequence } from './sequence.ts';
import { StagedPrefill, type StagedResult } from './staged-prefill.ts';

export const isStaged = ({ topUp, fullLayers }: ReusePlan): boolean =>
  topUp !== null || fullLayers > 0;

export function stage(sequence: Sequence, model: Transformer, imported: ImportedKv): StagedPrefill {
  const plan = sequence.request.plan!;
  const exact = plan.imports.filter((entry) => entry.exact);
  try {
    return new StagedPrefill({
      model,
      tokens: sequence.request.tokens,
      plan,
      imported,
      isExact: (at) =>
        exact.some(({ targetStart, length }) => targetStart <= at && at < targetStart + length),
      recompute: sequence.pending,
    });
  } catch (error) {
    disposeKv(imported.kv);
    throw error;
  }
}

/** What failed costs the reuse, not the answer. */
export function goCold(sequence: Sequence): void {
  sequence.staged?.dispose();
  sequence.staged = null;
  sequence.live.clear();
  sequence.refresh = new Int32Array(0);
  sequence.sharedViews = [];
  sequence.exactTokens = sequence.request.tokens.length;
  sequence.degraded = 'import-failed';
  sequence.counts = { exact: 0, imported: 0, recomputed: 0 };
  sequence.setRecompute([{ start: 0, end: sequence.request.tokens.length }]);
}

/** One chunk of a prefill in stages. */
export function stagedChunk(sequence: Sequence, staged: StagedPrefill, chunkTokens: number): void {
  const start = performance.now();
  const charged = staged.layerTokens;
  let result: StagedResult | null;
  try {
    result = staged.step(chunkTokens);
  } catch {
    goCold(sequence);
    return;
  } finally {
    sequence.layerTokens += staged.layerTokens - charged;
    sequence.timings.prefillMs += performance.now() - start;
  }
  if (!result) return;
  sequence.staged = null;
  sequence.live.replace(result.kv, result.positions);
  sequence.counts.recomputed = result.computed;
  sequence.refresh = Int32Array.from(result.left);
  sequence.pending = new Int32Array(0);
  sequence.timings.overheadMs += staged.overheadMs;
  drawFirst(sequence, result.logits);
}

/** Samples the token behind the prompt; disposes the logits. */
export function drawFirst(sequence: Sequence, logits: Tensor2D): void {
  const start = performance.now();
  const values = logits.dataSync<'float32'>();
  logits.dispose();
  sequence.timings.prefillMs += performance.now() - start;
  sequence.generated.push(sampleToken(values, sequence.request.sampling, sequence.random));
  sequence.phase = 'keep';
}
