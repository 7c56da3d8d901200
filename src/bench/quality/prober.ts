// What the suite needs of a runner, without tensors: prompts held still behind their prefill. src/runner/probe has it.
import type { Receipt, ReusePlan, SamplingOptions } from '../../protocol/index.ts';
import type { PlanInput } from '../../reuse/index.ts';

export interface Probed {
  readonly receipt: Pick<
    Receipt,
    'exactTokens' | 'importedTokens' | 'recomputedTokens' | 'chargedRecompute'
  >;
  /** Keeps the prompt as a donor; its segment. */
  keep(): string;
  /** For each of these tokens of an answer, the logits that it is drawn from when those before it were given. */
  logits(answer: readonly number[]): Iterable<Float32Array>;
  /** The greedy answer, `begun` by these tokens; up to and with a stop token. */
  greedy(begun: readonly number[], maxTokens: number, stopTokens: readonly number[]): number[];
  /** An answer for each of these, drawn as they say; up to and with a stop token. */
  sample(draws: readonly SamplingOptions[]): number[][];
  close(): void;
}

export interface Prober extends Omit<PlanInput['runner'], 'speeds'> {
  /** Null = full prefill. */
  prefill(tokens: Int32Array, plan: ReusePlan | null): Probed;
  /** Drops all donors. */
  forget(): void;
}
