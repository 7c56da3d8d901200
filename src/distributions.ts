// Next-token distributions from logits, and how far one is from another. Plain loops: 49,152 entries a row.

/** Log-probabilities, in nats. */
export function logSoftmax(logits: ArrayLike<number> & Iterable<number>): Float64Array {
  let top = -Infinity;
  for (const logit of logits) if (logit > top) top = logit;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - top);
  const shift = top + Math.log(total);
  const log = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) log[i] = logits[i]! - shift;
  return log;
}

/** KL(p || q) of two log-distributions, in nats; rounding never makes it negative. */
export function divergence(p: Float64Array, q: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += Math.exp(p[i]!) * (p[i]! - q[i]!);
  return Math.max(0, sum);
}

export function mostLikely(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Mean log-probability of these tokens, each after those before it. */
export function meanLogProbability(
  logits: Iterable<Float32Array>,
  tokens: readonly number[],
): number {
  let [sum, at] = [0, 0];
  for (const row of logits) sum += logSoftmax(row)[tokens[at++]!]!;
  return sum / tokens.length;
}
