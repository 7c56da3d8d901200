// What the engine does to one prompt, held still: prefill with a plan, then the distributions along any tokens, as
// often as asked. For measuring what reuse does to answers; no scheduling, no events.
import type { GenerateRequest, Receipt, ReusePlan, RunnerInfo } from '../../protocol/index.ts';
import type { KvLayout } from '../../kv/index.ts';
import { KvShareError } from '../../errors.ts';
import { capabilities, checkRequest } from '../engine/check-request.ts';
import { dueRefresh, takeStale } from '../engine/decode-refresh.ts';
import type { StepContext } from '../engine/forward-rows.ts';
import { prefill } from '../engine/prefill.ts';
import { argMax } from '../engine/sampler.ts';
import { Sequence } from '../engine/sequence.ts';
import { startSequence } from '../engine/start-sequence.ts';
import { keepPrompt } from '../engine/steps.ts';
import { shareBlock } from '../model/kv-block.ts';
import { layoutOf } from '../model/model-config.ts';
import type { Transformer } from '../model/transformer.ts';
import { KvStore } from '../store/kv-store.ts';

/** The engine's own, so that numbers are the ones that are served. */
const CHUNK_TOKENS = 400;
/** Rows with logits of one pass: 12 MB. */
const LOGIT_ROWS = 64;

const never = new AbortController().signal;

const sampling: GenerateRequest['sampling'] = {
  ...{ temperature: 0, topP: 1, seed: 0, maxTokens: 1 },
  stopTokens: [],
};

/** A probe has one caller. */
const PROBE_SCOPE = 'probe';

/** The logits behind each of these tokens, computed behind what the sequence holds; with refresh where planned. */
function* feed(
  sequence: Sequence,
  step: StepContext,
  tokens: readonly number[],
): Generator<Float32Array, void, undefined> {
  const { request, generated, live } = sequence;
  const { tf } = step.model;
  for (let at = 0; at < tokens.length;) {
    const due = dueRefresh(sequence);
    const count = due > 0 ? 1 : Math.min(LOGIT_ROWS, tokens.length - at);
    const stale = due > 0 ? takeStale(sequence, step, due) : [];
    const start = sequence.numTokens;
    generated.push(...tokens.slice(at, at + count));
    const rows = Int32Array.from([...stale, ...Array.from({ length: count }, (_, i) => start + i)]);
    const { kv, logits } = step.model.forward({
      ids: Int32Array.from(
        rows,
        (row) => request.tokens[row] ?? generated[row - request.tokens.length]!,
      ),
      positions: rows,
      past: live.joined(tf),
      pastPositions: live.positions,
      logitRows: count,
    });
    live.append(kv, rows);
    const values = logits!.dataSync<'float32'>();
    logits!.dispose();
    const width = values.length / count;
    for (let row = 0; row < count; row++) yield values.subarray(row * width, (row + 1) * width);
    at += count;
  }
}

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
    startSequence(sequence, step);
    const running = prefill(sequence, step);
    let next = running.next();
    while (!next.done) next = running.next();
    this.#first = next.value;
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
      yield* feed(copy, this.#step, answer.slice(0, -1));
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
        for (const behind of feed(copy, this.#step, fed)) logits = behind;
        fed = [argMax(logits)];
        answer.push(...fed);
      }
      return answer;
    } finally {
      copy.live.clear();
    }
  }

  close(): void {
    this.#sequence.live.clear();
  }

  /** The same state, to go on from without changing this one. */
  #fork(): Sequence {
    const { tf } = this.#step.model;
    const { request, live, stale } = this.#sequence;
    const copy = new Sequence(request, never);
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
    this.#step = { model, store, chunkSize: () => CHUNK_TOKENS };
  }

  /** Applies the plan as the engine does; null = full prefill. Throws KvShareError for a plan that is not valid. */
  prefill(tokens: Int32Array, plan: ReusePlan | null): ProbedPrompt {
    const request: GenerateRequest = {
      ...{ requestId: 'probe', scope: PROBE_SCOPE, owner: null, store: true },
      ...{ tokens: [...tokens], plan, sampling },
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
