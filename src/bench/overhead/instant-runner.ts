// A runner without a model: confirms whatever plan it is given, says that it keeps the prompt, and answers at a steady
// pace with the prompt's own tokens. What is measured around it is everything but computing.
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from '../../harness/index.ts';
import type {
  GenerateEvent,
  GenerateRequest,
  Receipt,
  Runner,
  RunnerInfo,
  StoredContext,
  StoreEvent,
} from '../../protocol/index.ts';
import { replayRunner } from '../../replay/index.ts';

/** On the clock that all processes share. */
export interface TokenTimes {
  readonly requestId: string;
  /** When the request was there. */
  readonly startedAt: number;
  /** When each token of the answer was handed to the runner's server. */
  readonly times: readonly number[];
}

export interface InstantRunnerOptions {
  /** Between two tokens; the first comes at once. */
  readonly paceMs: number;
  readonly modelId: string;
  readonly onAnswered: (times: TokenTimes) => void;
}

const GENERATION = 'instant';

const info: Omit<RunnerInfo, 'model'> = {
  protocolVersions: [1],
  capabilities: {
    imports: 'runs',
    topUp: [],
    fullLayers: false,
    decodeRefresh: false,
    unequalTokens: false,
  },
  generation: GENERATION,
  backend: { name: 'instant', description: 'answers at once, computes nothing' },
  fingerprint: 'instant',
  layout: replayRunner.layout,
  // What a real one measures on two cores, so that planning decides as it would there.
  speeds: { prefillFixedMs: 30, prefillMsPerToken: 1.5, importFixedMs: 5, importMsPerToken: 0.05 },
  store: { bytes: 0, maxBytes: 0, contexts: 0 },
  requests: { running: 0, waiting: 0 },
};

/** As if the plan had been applied. */
function receiptOf({ tokens, plan }: GenerateRequest): Receipt {
  const length = (exact: boolean): number =>
    (plan?.imports ?? [])
      .filter((item) => item.exact === exact)
      .reduce((sum, item) => sum + item.length, 0);
  const ranges = plan?.recompute ?? [{ start: 0, end: tokens.length }];
  const recomputed = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  return {
    planId: plan?.planId ?? null,
    generation: GENERATION,
    exactTokens: length(true),
    importedTokens: length(false),
    recomputedTokens: recomputed,
    chargedRecompute: recomputed / tokens.length,
    degraded: null,
    missingSegments: [],
    timings: { queueMs: 0, importMs: 0, prefillMs: 0, overheadMs: 0 },
  };
}

export class InstantRunner implements Runner {
  readonly #options: InstantRunnerOptions;
  #stored = 0;

  constructor(options: InstantRunnerOptions) {
    this.#options = options;
  }

  info(): Promise<RunnerInfo> {
    const model = { id: this.#options.modelId, contextLength: 8192, vocabSize: 2 ** 17 };
    return Promise.resolve({ ...info, model });
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    const { requestId, tokens, sampling, store } = request;
    const startedAt = monotonicMs();
    const times: number[] = [];
    yield { type: 'receipt', receipt: receiptOf(request) };
    const middle = Math.floor(tokens.length / 2);
    for (let i = 0; i < sampling.maxTokens && !signal.aborted; i++) {
      if (i > 0) await sleep(this.#options.paceMs);
      times.push(monotonicMs());
      yield { type: 'token', id: tokens[(middle + i) % tokens.length]! };
      if (i === 0 && store) yield { type: 'stored', context: this.#contextOf(request) };
    }
    yield { type: 'end', reason: 'length' };
    this.#options.onAnswered({ requestId, startedAt, times });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<StoreEvent> {
    yield { type: 'hello', generation: GENERATION, contexts: [] };
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #contextOf({ scope, owner, tokens, plan }: GenerateRequest): StoredContext {
    const promptTokens = tokens.length;
    // What stands behind a moved import saw approximate KV and serves no other prompt.
    const moved = plan?.imports.find(({ exact }) => !exact);
    const exactTokens = moved?.targetStart ?? promptTokens;
    const segment = `${GENERATION}.${this.#stored++}`;
    return { segment, scope, owner, tokens, exactTokens, promptTokens };
  }
}
