// A donor that was served and a target that may reuse it: the stage of all parts of the suite.
import type { ReusePlan } from '../../protocol/index.ts';
import type { PlanDecision, ReuseOptions } from '../../reuse/index.ts';
import type { EncodedPrompt } from '../../tokenizer/index.ts';
import type { CaseContext } from '../quality/measure-case.ts';
import { CasePlanner } from '../quality/plan-case.ts';
import type { Probed } from '../quality/prober.ts';
import type { Conversation } from '../quality/quality-case.ts';
import { leakingPlan, unequalSlots } from './plan-checks.ts';

export interface PairTexts {
  readonly donor: Conversation;
  readonly target: Conversation;
}

export class Pair {
  readonly target: EncodedPrompt;
  readonly #donor: Int32Array;
  readonly #context: CaseContext;
  readonly #planner: CasePlanner;
  readonly #open: Probed[] = [];
  #segment = '';

  constructor({ donor, target }: PairTexts, context: CaseContext) {
    const { tokenizer, prober, meaning } = context;
    this.#context = context;
    this.#planner = new CasePlanner(tokenizer, prober, meaning);
    this.#donor = tokenizer.encodeChat(donor.messages).tokens;
    this.target = tokenizer.encodeChat(target.messages);
  }

  /** Computes the donor in full. */
  async serveDonor(): Promise<void> {
    const probed = this.#context.prober.prefill(this.#donor, null);
    this.#segment = probed.keep();
    probed.close();
    await this.#planner.add(this.#segment, this.#donor);
  }

  plan(options: ReuseOptions): Promise<PlanDecision> {
    return this.#planner.plan(this.target, options);
  }

  /** What a broken planner could do. */
  leakingPlan(): ReusePlan {
    const { tokens: target, suffixStart } = this.target;
    const donor = { segment: this.#segment, tokens: this.#donor };
    const { fingerprint } = this.#context.prober;
    return leakingPlan({ ...{ donor, target, suffixStart, fingerprint } });
  }

  unequalSlots(plan: ReusePlan | null): number {
    return unequalSlots(plan, this.target.tokens, () => this.#donor);
  }

  /** The target computed by this plan; null = in full. Open until the pair is closed. */
  prefill(plan: ReusePlan | null): Probed {
    const probed = this.#context.prober.prefill(this.target.tokens, plan);
    this.#open.push(probed);
    return probed;
  }

  async close(): Promise<void> {
    for (const probed of this.#open) probed.close();
    await this.#planner.close();
    this.#context.prober.forget();
  }
}

export async function withPair<T>(
  texts: PairTexts,
  context: CaseContext,
  run: (pair: Pair) => Promise<T>,
): Promise<T> {
  const pair = new Pair(texts, context);
  try {
    await pair.serveDonor();
    return await run(pair);
  } finally {
    await pair.close();
  }
}
