// Logits → next token: greedy, or temperature with nucleus (top-p) sampling from a seeded generator, so
// that the same seed over the same logits draws the same token.
import { mostLikely } from '../../distributions.ts';
import type { SamplingOptions } from '../../protocol/index.ts';

/** mulberry32: 32-bit state, uniform in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** By token id, relative to the most likely one. */
function weightsOf(logits: Float32Array, temperature: number): Float64Array {
  const top = logits[mostLikely(logits)]!;
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < logits.length; id++) {
    weights[id] = Math.exp((logits[id]! - top) / temperature);
  }
  return weights;
}

const sum = (weights: Float64Array): number => {
  let total = 0;
  for (const weight of weights) total += weight;
  return total;
};

/** Sorting a whole vocabulary takes longer than a step of the model: first the few that matter, then more. */
const LEAST_WEIGHTS = [1e-3, 1e-6, 0];

/** Of these weights only the nucleus: the most likely tokens whose share together is at least `topP`. */
function nucleus(weights: Float64Array, topP: number): Float64Array {
  const wanted = topP * sum(weights);
  for (const least of LEAST_WEIGHTS) {
    const ids: number[] = [];
    for (let id = 0; id < weights.length; id++) if (weights[id]! > least) ids.push(id);
    ids.sort((a, b) => weights[b]! - weights[a]! || a - b);
    let reached = 0;
    const cut = ids.findIndex((id) => (reached += weights[id]!) >= wanted);
    if (cut < 0) continue;
    const kept = new Float64Array(weights.length);
    for (const id of ids.slice(0, cut + 1)) kept[id] = weights[id]!;
    return kept;
  }
  return weights;
}

export function sampleToken(
  logits: Float32Array,
  { temperature, topP }: Pick<SamplingOptions, 'temperature' | 'topP'>,
  random: () => number,
): number {
  const best = mostLikely(logits);
  if (temperature === 0) return best;
  const all = weightsOf(logits, temperature);
  const weights = topP < 1 ? nucleus(all, topP) : all;
  let left = random() * sum(weights);
  for (let id = 0; id < weights.length; id++) {
    left -= weights[id]!;
    if (left < 0) return id;
  }
  return best;
}
