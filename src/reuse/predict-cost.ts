// Milliseconds until the first token, by the runner's measured speeds.
import type { SpeedTable } from '../protocol/index.ts';
import type { PlanInput } from './plan-input.ts';
import type { RecomputeMap } from './recompute-map.ts';

export function predictMs(speeds: SpeedTable, freshTokens: number, importedTokens: number): number {
  const prefill = speeds.prefillFixedMs + speeds.prefillMsPerToken * freshTokens;
  if (importedTokens === 0) return prefill;
  return prefill + speeds.importFixedMs + speeds.importMsPerToken * importedTokens;
}

/** Layers that deviation scores need in full (CacheBlend: the first, and the projections of the second). */
const SCORING_LAYERS = 2;

/** What top-up and full layers cost, in tokens computed through all layers. */
export function extraTokens({ options, target, runner }: PlanInput, fresh: RecomputeMap): number {
  const planned = fresh.count(0, target.length);
  const others = target.length - planned;
  const { topUp, fullLayers } = options;
  const layers = Math.max(
    fullLayers,
    topUp && topUp.selector !== 'query-attention' ? SCORING_LAYERS : 0,
  );
  // Who does not tell its layout has no extras.
  const { numLayers } = runner.layout ?? { numLayers: Infinity };
  const inFull = (others * Math.min(layers, numLayers)) / numLayers;
  // Query attention asks in a pass of its own, with what is new and the question.
  const askingPass = topUp?.selector === 'query-attention' ? fresh.countNew() : 0;
  return inFull + askingPass + (topUp ? topUp.ratio * others : 0);
}
