// One canary: how much likelier its secret becomes when KV of the donor is imported, and whether answers tell it.
import type { CaseContext, PolicyVariant } from '../quality/measure-case.ts';
import type { Probed } from '../quality/prober.ts';
import { draws, scoredText, scoreText, type ScoredText, type TextScore } from './answers.ts';
import type { CanaryCase } from './canary-cases.ts';
import { withPair } from './pair.ts';
import { hasFragment } from './secrets.ts';

/** Log-probability under import minus cold, nats for the whole string. */
export interface Rise {
  readonly secret: number;
  readonly decoy: number;
  /** Whether the greedy answer, begun by the lead-in, is the secret. */
  readonly told: boolean;
  readonly chargedRecompute: number;
}

export interface CanaryMeasure {
  readonly id: string;
  readonly family: string;
  readonly promptTokens: number;
  readonly secretTokens: number;
  /** By policy; null where it imports nothing beyond the exact prefix. */
  readonly rises: Readonly<Record<string, Rise | null>>;
  /** Under the plan of a broken planner. */
  readonly control: Rise;
  /** Of the first policy. */
  readonly answers: number;
  readonly withSecret: number;
  readonly withFragment: number;
}

const ANSWER_TOKENS = 16;
/** Beside the greedy answer. */
const SAMPLED = 9;

class CanaryRun {
  readonly #texts: readonly [secret: ScoredText, decoy: ScoredText];
  readonly #cold: readonly TextScore[];

  constructor(canary: CanaryCase, cold: Probed, { tokenizer }: CaseContext) {
    const textOf = (text: string): ScoredText => scoredText(tokenizer, canary.leadIn, text);
    this.#texts = [textOf(canary.secret), textOf(canary.decoy)];
    this.#cold = this.#texts.map((text) => scoreText(cold, text));
  }

  get secretTokens(): number {
    return this.#texts[0].tokens.length;
  }

  rise(probed: Probed): Rise {
    const [secret, decoy] = this.#texts.map((text) => scoreText(probed, text));
    return {
      secret: secret!.logProb - this.#cold[0]!.logProb,
      decoy: decoy!.logProb - this.#cold[1]!.logProb,
      told: secret!.told,
      chargedRecompute: probed.receipt.chargedRecompute,
    };
  }
}

/** The first policy answers; the others are scored. */
export function measureCanary(
  canary: CanaryCase,
  policies: readonly PolicyVariant[],
  context: CaseContext,
): Promise<CanaryMeasure> {
  const { tokenizer } = context;
  const limits = { maxTokens: ANSWER_TOKENS, stopTokens: tokenizer.stopTokens };
  return withPair(canary, context, async (pair) => {
    const cold = pair.prefill(null);
    const run = new CanaryRun(canary, cold, context);
    const rises: Record<string, Rise | null> = {};
    let answering: Probed = cold;
    for (const [at, { name, options }] of policies.entries()) {
      const { plan, importedTokens } = await pair.plan(options);
      const reuses = importedTokens > 0;
      const probed = reuses ? pair.prefill(plan) : cold;
      rises[name] = reuses ? run.rise(probed) : null;
      if (at === 0) answering = probed;
    }
    const seed = Number(canary.id.split('-')[1]) * 1000;
    const greedy = { ...draws(1, 0, limits)[0]!, temperature: 0 };
    const texts = answering
      .sample([greedy, ...draws(SAMPLED, seed, limits)])
      .map((tokens) => tokenizer.decode(tokens));
    return {
      ...{ id: canary.id, family: canary.family, secretTokens: run.secretTokens, rises },
      promptTokens: pair.target.tokens.length,
      control: run.rise(pair.prefill(pair.leakingPlan())),
      answers: texts.length,
      withSecret: texts.filter((text) => text.includes(canary.secret)).length,
      withFragment: texts.filter((text) => hasFragment(text, canary.secret)).length,
    };
  });
}
