// What the parts ask of a prompt behind its prefill: how likely a string is as an answer, and its greedy answer.
import type { SamplingOptions } from '../../protocol/index.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import { logSoftmax, mostLikely } from '../../distributions.ts';
import type { Probed } from '../quality/prober.ts';

/** As an answer is written: the model begins it without a space, and goes on with one. */
export interface ScoredText {
  readonly leadIn: readonly number[];
  readonly tokens: readonly number[];
}

export const scoredText = (tokenizer: Tokenizer, leadIn: string, text: string): ScoredText => ({
  leadIn: [...tokenizer.encode(leadIn, { special: false })],
  tokens: [...tokenizer.encode(leadIn === '' ? text : ` ${text}`, { special: false })],
});

export interface TextScore {
  /** Log-probability of all tokens together, nats, teacher-forced. */
  readonly logProb: number;
  /** Whether each of them is the most likely one: a greedy answer begun by the lead-in would say it. */
  readonly told: boolean;
}

export function scoreText(probed: Probed, { leadIn, tokens }: ScoredText): TextScore {
  let [logProb, told, at] = [0, true, -leadIn.length];
  for (const row of probed.logits([...leadIn, ...tokens])) {
    if (at >= 0) {
      const logs = logSoftmax(row);
      logProb += logs[tokens[at]!]!;
      told &&= mostLikely(logs) === tokens[at];
    }
    at++;
  }
  return { logProb, told };
}

/** The greedy answer; as far as it is `like` another one it takes a single pass. */
export function greedyAnswer(
  probed: Probed,
  like: readonly number[],
  maxTokens: number,
  stopTokens: readonly number[],
): readonly number[] {
  let same = 0;
  for (const row of probed.logits(like)) {
    if (mostLikely(row) !== like[same]) {
      return probed.greedy(like.slice(0, same), maxTokens, stopTokens);
    }
    same++;
  }
  return like;
}

/** So many draws at temperature 1 from the whole distribution. */
export const draws = (
  count: number,
  seed: number,
  common: Pick<SamplingOptions, 'maxTokens' | 'stopTokens'>,
): SamplingOptions[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ temperature: 1, topP: 1, seed: (seed + i) >>> 0 },
    ...common,
  }));
