// What the engine does to one prompt, held still: prefill with a plan, then the distributions along any tokens, as
// often as asked. For measuring what reuse does to answers; no scheduling, no events.
import type {
  GenerateRequest,
  Receipt,
  ReusePlan,
  RunnerInfo,
  SamplingOptions,
} from '../../protocol/index.ts';
import type { KvLayout } from '../../kv/index.ts';
import { mostLikely } from '../../distributions.ts';
import { KvShareError } from '../../errors.ts';
import { capabilities, checkRequest } from '../engine/check-request.ts';
import { completePrompt, forcedLogits } from '../engine/forced-tokens.ts';
import type { StepContext } from '../engine/forward-rows.ts';
import { sampleToken } from '../engine/sampler.ts';
import { Sequence } from '../engine/sequence.ts';
import { keepPrompt } from '../engine/steps.ts';
import { finishNow } from '../engine/work.ts';
import { shareBlock } from '../model/kv-block.ts';
import { layoutOf } from '../model/model-config.ts';
import type { Transformer } from '../model/transformer.ts';
import { KvStore } from '../store/kv-store.ts';
import { decodeTogether } from './decode-together.ts';

/** The engine's own, so that numbers are the ones that are served. */
const CHUNK_TOKENS = 400;
const STEADY_CHUNK = 256;

const never = new AbortController().signal;

const greedySampling: SamplingOptions = {
  ...{ temperature: 0, topP: 1, seed: 0, maxTokens: 1 },
  stopTokens: [],
};

/** A probe has one caller. */
const PROBE_SCOPE = 'probe';

/** A prompt whose KV is complete; close it. */
export class ProbedPrompt {
  readonly receipt: Pick<
    Receipt,
    'exactTokens' | 'importedTokens' | 'recomputedTokens' | 'chargedRecompute'
  >;
  readonly #sequence: Sequence;
  readonly #step: StepContext;
  readonly #first: Float32Array;

  constructor(sequence: Sequence, step: StepContext) {
    this.#sequence = sequence;
    this.#step = step;
    this.#first = finishNow(completePrompt(sequence, step));
    if (sequence.degraded !== null) {
      throw new KvShareError('internal_error', `A plan was not applied: ${sequence.degraded}.`);
    }
    const { counts, fresh, layerTokens, request } = sequence;
    this.receipt = {
      exactTokens: counts.exact,
      importedTokens: counts.imported,
      recomputedTokens: fresh.length,
      chargedRecompute: layerTokens / (step.model.config.numLayers * request.tokens.length),
    };
  }

  /** Keeps the prompt's KV as a donor; its segment. */
  keep(): string {
    keepPrompt(this.#sequence, this.#step);
    const { stored } = this.#sequence;
    if (!stored) throw new KvShareError('internal_error', 'A donor does not fit into the store.');
    return stored.segment;
  }

  /** For each of these tokens of an answer, the logits that it is drawn from when those before it were given. */
  *logits(answer: readonly number[]): Generator<Float32Array, void, undefined> {
    if (answer.length === 0) return;
    yield this.#first;
    const copy = this.#fork();
    try {
      const behind: Float32Array[] = [];
      const given = answer.slice(0, -1);
      finishNow(forcedLogits(copy, this.#step, given, (logits) => behind.push(logits)));
      yield* behind;
    } finally {
      copy.live.clear();
    }
  }

  /** The greedy answer, `begun` by these tokens; up to and with a stop token. */
  greedy(begun: readonly number[], maxTokens: number, stopTokens: readonly number[]): number[] {
    const answer = [...begun];
    const copy = this.#fork();
    try {
      let [logits, fed] = [this.#first, answer.slice()];
      while (answer.length < maxTokens && !stopTokens.includes(answer.at(-1) ?? -1)) {
        finishNow(forcedLogits(copy, this.#step, fed, (behind) => (logits = behind)));
        fed = [mostLikely(logits)];
        answer.push(...fed);
      }
      return answer;
    } finally {
      copy.live.clear();
    }
  }

  /** An answer for each of these, drawn by the engine's sampler; up to and with a stop token. */
  sample(draws: readonly SamplingOptions[]): number[][] {
    const copies = draws.map((sampling) => {
      const copy = this.#fork(sampling);
      copy.generated.push(sampleToken(this.#first, sampling, copy.random));
      return copy;
    });
    decodeTogether(this.#step, copies);
    return copies.map(({ generated }) => generated);
  }

  close(): void {
    this.#sequence.live.clear();
  }

  /** The same state, to go on from without changing this one. */
  #fork(sampling = greedySampling): Sequence {
    const { tf } = this.#step.model;
    const { request, live, stale } = this.#sequence;
    const copy = new Sequence({ ...request, sampling }, never);
    copy.live.append(shareBlock(tf, live.joined(tf)!), live.positions);
    copy.stale = [...stale];
    return copy;
  }
}

export interface ProbeOptions {
  readonly model: Transformer;
  readonly fingerprint: string;
  readonly maxKvBytes: number;
}

export class Probe {
  readonly fingerprint: string;
  readonly capabilities: RunnerInfo['capabilities'] = capabilities;
  readonly layout: KvLayout;
  readonly #step: StepContext;

  constructor({ model, fingerprint, maxKvBytes }: ProbeOptions) {
    this.fingerprint = fingerprint;
    this.layout = layoutOf(model.config);
    const store = new KvStore({
      maxBytes: maxKvBytes,
      tf: model.tf,
      layout: this.layout,
      generation: 'probe',
      onEvict: () => undefined,
    });
    this.#step = { model, store, chunkSize: () => CHUNK_TOKENS, steadyChunk: STEADY_CHUNK };
  }

  /** Applies the plan as the engine does; null = full prefill. Throws KvShareError for a plan that is not valid. */
  prefill(tokens: Int32Array, plan: ReusePlan | null): ProbedPrompt {
    const request: GenerateRequest = {
      ...{ requestId: 'probe', scope: PROBE_SCOPE, owner: null, store: true },
      ...{ tokens: [...tokens], plan, sampling: greedySampling },
    };
    const { model, store } = this.#step;
    checkRequest(request, model.config, this.fingerprint, store);
    return new ProbedPrompt(new Sequence(request, never), this.#step);
  }

  /** Drops all donors. */
  forget(): void {
    this.#step.store.clear();
  }
}
