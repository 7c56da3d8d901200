// Slow references for the indexes: every pair of positions compared.
import type { Donor } from '../../src/kv/index.ts';

export function bruteForcePrefix(donors: readonly Donor[], target: Int32Array): number {
  let best = 0;
  for (const { tokens, exactTokens } of donors) {
    let length = 0;
    while (length < exactTokens && length < target.length && tokens[length] === target[length]) {
      length++;
    }
    best = Math.max(best, length);
  }
  return best;
}

/** All maximal equal runs of at least `minRun` tokens, as "segment:donorStart:targetStart:length". */
export function bruteForceRuns(donors: readonly Donor[], target: Int32Array, minRun: number) {
  const found = new Set<string>();
  for (const { segment, tokens, exactTokens } of donors) {
    for (let d = 0; d < exactTokens; d++) {
      for (let t = 0; t < target.length; t++) {
        if (tokens[d] !== target[t]) continue;
        if (d > 0 && t > 0 && tokens[d - 1] === target[t - 1]) continue;
        let length = 0;
        while (
          d + length < exactTokens &&
          t + length < target.length &&
          tokens[d + length] === target[t + length]
        ) {
          length++;
        }
        if (length >= minRun) found.add(`${segment}:${d}:${t}:${length}`);
      }
    }
  }
  return found;
}

export const donorOf = (
  segment: string,
  tokens: readonly number[],
  overrides: Partial<Donor> = {},
): Donor => ({
  segment,
  scope: 'scope-a',
  owner: null,
  tokens: Int32Array.from(tokens),
  exactTokens: tokens.length,
  promptTokens: tokens.length,
  storedAt: 0,
  ...overrides,
});
