// `bench safety`: whether anything of a donor but equal text shows in a receiver's answers. Three parts: canaries (S6),
// hostile pairs (S5), and whether answers are as varied as without reuse. Planner and engine are the ones that serve.
import { optionsOf } from '../../reuse/index.ts';
import { PartialResults, type Subject } from '../partial-results.ts';
import type { CaseContext, PolicyVariant } from '../quality/measure-case.ts';
import type { Meaning } from '../../replay/index.ts';
import { boundsOf, STRICT, type Bound, type SafetyParts } from './bounds.ts';
import { canaryCase } from './canary-cases.ts';
import { collisionCase } from './collision-cases.ts';
import { diversityCase } from './diversity-cases.ts';
import { measureCanary } from './measure-canary.ts';
import { measureCollision } from './measure-collision.ts';
import { measureDiversity } from './measure-diversity.ts';
import { summariseCanaries } from './summarise-canaries.ts';
import { summariseCollisions } from './summarise-collisions.ts';
import { summariseDiversity } from './summarise-diversity.ts';

export interface SafetySizes {
  readonly canaries: number;
  readonly pairs: number;
  readonly prompts: number;
  /** Answers to each prompt, of each kind. */
  readonly samples: number;
}

export interface SafetyOptions extends CaseContext, SafetySizes {
  readonly meaning: Meaning;
  readonly model: string;
  readonly seed: number;
  /** Measured on canaries besides the default. */
  readonly variants: readonly PolicyVariant[];
  /** Where measures are kept while the suite runs; null = nowhere. */
  readonly partialPath: string | null;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface SafetyReport extends SafetyParts {
  readonly suite: 'safety';
  readonly model: string;
  readonly seed: number;
  readonly bounds: readonly Bound[];
  /** Every canary and pair by itself. */
  readonly cases: {
    readonly canaries: readonly object[];
    readonly collisions: readonly object[];
  };
}

const policy = optionsOf('edit-closure');
const DEFAULT = 'edit-closure';

const collisionPolicies: readonly PolicyVariant[] = [
  { name: STRICT, options: { ...policy, strict: true } },
  { name: DEFAULT, options: policy },
  { name: 'semantic', options: optionsOf('semantic') },
];

/** What `semantic` asks of a passage: an attacker who reaches it is taken for a paraphrase. */
const THRESHOLD = optionsOf('semantic').minSimilarity;

class SafetyRun {
  readonly #options: SafetyOptions;
  readonly #partial: PartialResults<object>;
  readonly #total: number;
  #done = 0;

  constructor(options: SafetyOptions, partial: PartialResults<object>) {
    this.#options = options;
    this.#partial = partial;
    this.#total = options.canaries + options.pairs + options.prompts;
  }

  canaries(policies: readonly PolicyVariant[]) {
    const { canaries, seed } = this.#options;
    return this.#each(canaries, (at) => {
      const canary = canaryCase(seed, at);
      return this.#known(canary.id, [canary, policies], () =>
        measureCanary(canary, policies, this.#options),
      );
    });
  }

  collisions() {
    const { pairs, seed, meaning } = this.#options;
    // A climb takes a second: what is known is known by its number, not by its texts.
    return this.#each(pairs, (at) =>
      this.#known(
        `collision-${at}`,
        ['collision', seed, at, THRESHOLD, collisionPolicies],
        async () =>
          measureCollision(
            await collisionCase(seed, at, meaning.embedder, THRESHOLD),
            collisionPolicies,
            this.#options,
          ),
      ),
    );
  }

  diversity() {
    const { prompts, seed, samples } = this.#options;
    return this.#each(prompts, (at) => {
      const own = diversityCase(seed, at);
      return this.#known(own.id, [own, policy, samples], () =>
        measureDiversity(own, { name: DEFAULT, options: policy }, samples, this.#options),
      );
    });
  }

  async #each<T>(count: number, measure: (at: number) => Promise<T>): Promise<T[]> {
    const measures: T[] = [];
    for (let at = 0; at < count; at++) {
      measures.push(await measure(at));
      this.#done++;
    }
    return measures;
  }

  /** Measured now, or by the run that was killed. */
  async #known<T extends object>(
    label: string,
    subject: Subject,
    measure: () => Promise<T>,
  ): Promise<T> {
    this.#options.onProgress(this.#done, this.#total, label);
    const known = this.#partial.get(subject) as T | undefined;
    if (known) return known;
    const measured = await measure();
    await this.#partial.add([[subject, measured]]);
    return measured;
  }
}

export async function runSafety(options: SafetyOptions): Promise<SafetyReport> {
  const { prober, meaning, model, seed, variants, partialPath } = options;
  const fingerprint = `${prober.fingerprint} ${meaning.embedder.fingerprint}`;
  const partial = await PartialResults.open<object>(partialPath, fingerprint);
  const run = new SafetyRun(options, partial);
  const policies = [{ name: DEFAULT, options: policy }, ...variants];
  const [canaries, collisions] = [await run.canaries(policies), await run.collisions()];
  const diversity = await run.diversity();
  const parts = {
    canaries:
      canaries.length === 0
        ? null
        : summariseCanaries(
            canaries,
            policies.map(({ name }) => name),
          ),
    collisions:
      collisions.length === 0
        ? null
        : summariseCollisions(
            collisions,
            collisionPolicies.map(({ name }) => name),
            THRESHOLD,
          ),
    diversity: diversity.length === 0 ? null : summariseDiversity(diversity),
  };
  await partial.remove();
  return {
    ...{ suite: 'safety', model, seed, ...parts },
    bounds: boundsOf(parts),
    cases: { canaries, collisions },
  };
}
