// One case under every policy: donors and full prefill once, then each plan against it. Policies that come to the
// same plan are computed once.
import type { ReusePlan } from '../../protocol/index.ts';
import type { PlanDecision, ReuseOptions } from '../../reuse/index.ts';
import type { ChatMessage, EncodedPrompt, Tokenizer } from '../../tokenizer/index.ts';
import type { Meaning } from '../../replay/index.ts';
import { AnswerScorer, type AnswerScores } from './answer-scores.ts';
import { CasePlanner } from './plan-case.ts';
import type { Prober } from './prober.ts';
import type { QualityCase } from './quality-case.ts';

export interface PolicyVariant {
  readonly name: string;
  readonly options: ReuseOptions;
}

/** One policy on one case. */
export interface CaseMeasure extends AnswerScores {
  readonly id: string;
  readonly family: string;
  readonly policy: string;
  /** Whether anything was imported beyond the exact prefix. */
  readonly counted: boolean;
  readonly reason: string;
  readonly promptTokens: number;
  readonly exactTokens: number;
  readonly importedTokens: number;
  /** From the receipt. */
  readonly chargedRecompute: number;
}

export interface CaseContext {
  readonly tokenizer: Tokenizer;
  readonly prober: Prober;
  /** Null = without vectors. */
  readonly meaning: Meaning | null;
}

/** Two plans with the same key are the same work; null = full prefill. */
function planKey(plan: ReusePlan | null): string {
  if (plan === null) return 'full';
  const { imports, recompute, topUp, fullLayers, decodeRefresh, driftCorrection, policy } = plan;
  const ranges = recompute.map(({ start, end }) => [start, end]);
  const turned = policy !== 'naive' || imports.every(({ exact }) => exact);
  // Query attention asks by the reasons of the ranges.
  const reasons = topUp ? recompute.map(({ reason }) => reason) : [];
  const extras = [topUp, fullLayers, decodeRefresh, driftCorrection];
  return JSON.stringify([imports, ranges, extras, turned, reasons]);
}

class CaseRun {
  readonly #case: QualityCase;
  readonly #prober: Prober;
  readonly #tokenizer: Tokenizer;
  readonly #planner: CasePlanner;
  readonly #scorer: AnswerScorer;
  readonly #target: EncodedPrompt;
  readonly #done = new Map<string, Pick<CaseMeasure, 'chargedRecompute'> & AnswerScores>();

  constructor(qualityCase: QualityCase, { tokenizer, prober, meaning }: CaseContext) {
    this.#case = qualityCase;
    this.#prober = prober;
    this.#tokenizer = tokenizer;
    this.#planner = new CasePlanner(tokenizer, prober, meaning);
    this.#scorer = new AnswerScorer(qualityCase, tokenizer);
    this.#target = this.#encode(qualityCase.target.messages);
  }

  async measure(policies: readonly PolicyVariant[]): Promise<CaseMeasure[]> {
    await this.#prefillDonors();
    this.#prefillFully();
    const measures: CaseMeasure[] = [];
    for (const { name, options } of policies) {
      const decision = await this.#planner.plan(this.#target, options);
      measures.push(this.#measured(name, decision));
    }
    return measures;
  }

  async close(): Promise<void> {
    await this.#planner.close();
    this.#prober.forget();
  }

  #encode(messages: readonly ChatMessage[]): EncodedPrompt {
    return this.#tokenizer.encodeChat(messages);
  }

  async #prefillDonors(): Promise<void> {
    const { donors } = this.#case;
    for (const [at, { messages }] of donors.entries()) {
      const { tokens } = this.#encode(messages);
      const donor = this.#prober.prefill(tokens, null);
      await this.#planner.add(donor.keep(), tokens);
      if (at === donors.length - 1) this.#scorer.setStale(donor);
      donor.close();
    }
  }

  #prefillFully(): void {
    const full = this.#prober.prefill(this.#target.tokens, null);
    this.#scorer.setFull(full);
    this.#done.set(planKey(null), { chargedRecompute: 1, ...this.#scorer.score(full) });
    full.close();
  }

  #measured(policy: string, { plan, reason, importedTokens, exactTokens }: PlanDecision) {
    const key = planKey(plan);
    let scores = this.#done.get(key);
    if (!scores) {
      const probed = this.#prober.prefill(this.#target.tokens, plan);
      const { chargedRecompute } = probed.receipt;
      scores = { chargedRecompute, ...this.#scorer.score(probed) };
      this.#done.set(key, scores);
      probed.close();
    }
    const { id, family } = this.#case;
    const promptTokens = this.#target.tokens.length;
    const counted = importedTokens > 0;
    return {
      ...{ id, family, policy, counted, reason, promptTokens, exactTokens, importedTokens },
      ...scores,
    };
  }
}

export async function measureCase(
  qualityCase: QualityCase,
  policies: readonly PolicyVariant[],
  context: CaseContext,
): Promise<CaseMeasure[]> {
  const run = new CaseRun(qualityCase, context);
  try {
    return await run.measure(policies);
  } finally {
    await run.close();
  }
}
