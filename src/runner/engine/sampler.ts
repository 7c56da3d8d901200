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

/** Token ids in the nucleus with their weights, most likely first. */
function nucleus(logits: Float32Array, temperature: number, topP: number): [number, number][] {
  const top = logits[mostLikely(logits)]!;
  // exp(-20) is below any share that sampling could notice; it keeps the sort short.
  const candidates: [number, number][] = [];
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp((logits[id]! - top) / temperature);
    total += weight;
    if (weight > 2e-9) candidates.push([id, weight]);
  }
  candidates.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  let sum = 0;
  const cut = candidates.findIndex(([, weight]) => (sum += weight) >= topP * total);
  return cut < 0 ? candidates : candidates.slice(0, cut + 1);
}

export function sampleToken(
  logits: Float32Array,
  { temperature, topP }: Pick<SamplingOptions, 'temperature' | 'topP'>,
  random: () => number,
): number {
  if (temperature === 0) return mostLikely(logits);
  const candidates = nucleus(logits, temperature, topP);
  let left = random() * candidates.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [id, weight] of candidates) {
    left -= weight;
    if (left < 0) return id;
  }
  return candidates[0]![0];
}
