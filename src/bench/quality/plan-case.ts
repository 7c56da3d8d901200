// The plan that each policy makes for a case, from the same donors, as the sidecar makes it: equal runs and vectors,
// then the planner with its fallbacks. Break-even is judged by a published speed table, so that plans are the same
// on every machine.
import { DonorIndex } from '../../match/index.ts';
import { replayRunner } from '../../replay/index.ts';
import { planReuse, searchFor, type PlanDecision, type ReuseOptions } from '../../reuse/index.ts';
import { findCandidates, type SimilarPrompts } from '../../similar/index.ts';
import type { EncodedPrompt, Tokenizer } from '../../tokenizer/index.ts';
import { openSimilar, type Meaning } from '../../replay/index.ts';
import type { Prober } from './prober.ts';

const SCOPE = 'case';

export class CasePlanner {
  readonly #index = new DonorIndex();
  readonly #similar: SimilarPrompts | null;
  readonly #tokenizer: Tokenizer;
  readonly #runner: Prober;
  #donors = 0;

  constructor(tokenizer: Tokenizer, runner: Prober, meaning: Meaning | null) {
    this.#tokenizer = tokenizer;
    this.#runner = runner;
    this.#similar = meaning && openSimilar(meaning, tokenizer);
  }

  async add(segment: string, tokens: Int32Array): Promise<void> {
    const [exactTokens, promptTokens, storedAt] = [tokens.length, tokens.length, this.#donors++];
    const donor = { ...{ segment, scope: SCOPE, owner: null, tokens }, exactTokens, promptTokens };
    this.#index.add({ ...donor, storedAt });
    this.#similar?.add({ ...donor, storedAt });
    await this.#similar?.settled();
  }

  async plan({ tokens, suffixStart }: EncodedPrompt, options: ReuseOptions): Promise<PlanDecision> {
    const { fingerprint, layout, capabilities } = this.#runner;
    const looksUp = options.policy !== 'off' && options.policy !== 'exact';
    const query = { scope: SCOPE, owner: null, target: tokens, ...searchFor(options) };
    return planReuse({
      planId: 'quality',
      target: tokens,
      suffixStart,
      tokenClasses: this.#tokenizer.tokenClasses,
      candidates: await findCandidates(this.#index, looksUp ? this.#similar : null, query),
      options,
      runner: { fingerprint, layout, capabilities, speeds: replayRunner.speeds },
      readText: (ids, start, end) => this.#tokenizer.decode(ids.subarray(start, end)),
    });
  }

  async close(): Promise<void> {
    await this.#similar?.close();
  }
}
