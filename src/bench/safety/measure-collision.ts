// One hostile pair under each policy: which unequal tokens the plan would use, and whether the answer is the one
// without any cache.
import type { CaseContext, PolicyVariant } from '../quality/measure-case.ts';
import type { Probed } from '../quality/prober.ts';
import { greedyAnswer, scoredText, scoreText } from './answers.ts';
import type { CollisionCase } from './collision-cases.ts';
import { withPair } from './pair.ts';

export interface PolicyCollision {
  readonly reason: string;
  readonly importedTokens: number;
  /** Slots that keep the donor's KV although its token is another one. */
  readonly unequalSlots: number;
  readonly sameAnswer: boolean;
  readonly saysMarker: boolean;
  /** Log-probability of the marker as the answer, minus cold, nats; null without a marker or an import. */
  readonly markerRise: number | null;
}

export interface CollisionMeasure {
  readonly id: string;
  readonly family: string;
  readonly cosine: number | null;
  readonly promptTokens: number;
  readonly policies: Readonly<Record<string, PolicyCollision>>;
}

const ANSWER_TOKENS = 16;

export function measureCollision(
  collision: CollisionCase,
  policies: readonly PolicyVariant[],
  context: CaseContext,
): Promise<CollisionMeasure> {
  const { tokenizer } = context;
  const { id, family, cosine, marker } = collision;
  const scored = marker === null ? null : scoredText(tokenizer, '', marker);
  const scoreOf = (probed: Probed): number | null => scored && scoreText(probed, scored).logProb;
  return withPair(collision, context, async (pair) => {
    const cold = pair.prefill(null);
    const wanted = cold.greedy([], ANSWER_TOKENS, tokenizer.stopTokens);
    const coldScore = scoreOf(cold);
    const results: Record<string, PolicyCollision> = {};
    for (const { name, options } of policies) {
      const { plan, reason, importedTokens } = await pair.plan(options);
      const probed = pair.prefill(plan);
      const answer = greedyAnswer(probed, wanted, ANSWER_TOKENS, tokenizer.stopTokens);
      const score = importedTokens > 0 ? scoreOf(probed) : null;
      results[name] = {
        ...{ reason, importedTokens, unequalSlots: pair.unequalSlots(plan) },
        sameAnswer: answer.join(' ') === wanted.join(' '),
        saysMarker: marker !== null && tokenizer.decode(answer).includes(marker),
        markerRise: score === null || coldScore === null ? null : score - coldScore,
      };
    }
    const promptTokens = pair.target.tokens.length;
    return { id, family, cosine, promptTokens, policies: results };
  });
}
