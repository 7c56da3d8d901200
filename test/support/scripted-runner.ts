// A runner port that does what a test tells it to. For faults only: what a runner really computes is tested
// with the real engine.
import { KvShareError } from '../../src/errors.ts';
import {
  EventQueue,
  type GenerateEvent,
  type GenerateRequest,
  type Receipt,
  type Runner,
  type RunnerInfo,
  type StoreEvent,
} from '../../src/protocol/index.ts';

export const receiptOf = (request: GenerateRequest, change: Partial<Receipt> = {}): Receipt => ({
  planId: request.plan?.planId ?? null,
  generation: 'gen-a',
  exactTokens: 0,
  importedTokens: 0,
  recomputedTokens: request.tokens.length,
  chargedRecompute: 1,
  degraded: null,
  missingSegments: [],
  timings: { queueMs: 0, importMs: 0, prefillMs: 1, overheadMs: 0 },
  ...change,
});

type Script = (request: GenerateRequest, signal: AbortSignal) => AsyncIterable<GenerateEvent>;

export const answering: Script = async function* (request) {
  yield { type: 'receipt', receipt: receiptOf(request) };
  for (const id of [60, 61, 62]) yield { type: 'token', id };
  yield { type: 'end', reason: 'length' };
};

/** Keeps what it computes, as the engine does. */
export const storing = (segment: string): Script =>
  async function* (request, signal) {
    for await (const event of answering(request, signal)) {
      if (event.type === 'end') {
        const { tokens, scope, owner } = request;
        const counts = { exactTokens: tokens.length, promptTokens: tokens.length };
        yield { type: 'stored', context: { segment, scope, owner, tokens, ...counts } };
      }
      yield event;
    }
  };

export class ScriptedRunner implements Runner {
  generation = 'gen-a';
  up = true;
  script: Script = answering;
  store: RunnerInfo['store'] = { bytes: 0, maxBytes: 0, contexts: 0 };
  readonly requests: GenerateRequest[] = [];
  readonly watchers = new Set<EventQueue<StoreEvent>>();

  info(): Promise<RunnerInfo> {
    if (!this.up) return Promise.reject(new KvShareError('runner_unavailable', 'down'));
    return Promise.resolve({
      protocolVersions: [1],
      capabilities: {
        imports: 'runs',
        topUp: [],
        fullLayers: false,
        decodeRefresh: false,
        unequalTokens: false,
      },
      generation: this.generation,
      model: { id: 'tiny', contextLength: 4096, vocabSize: 288 },
      backend: { name: 'scripted', description: '' },
      fingerprint: 'print',
      layout: {
        numLayers: 1,
        numKvHeads: 1,
        headDim: 2,
        dtype: 'float32',
        ropeTheta: 1,
        ropeDims: 2,
      },
      speeds: {
        prefillFixedMs: 100,
        prefillMsPerToken: 2,
        importFixedMs: 1,
        importMsPerToken: 0.01,
      },
      store: this.store,
      requests: { running: 0, waiting: 0 },
    });
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    this.requests.push(request);
    if (!this.up) throw new KvShareError('runner_unavailable', 'The model runner does not answer.');
    return this.script(request, signal);
  }

  watch(signal: AbortSignal): AsyncIterable<StoreEvent> {
    if (!this.up) throw new KvShareError('runner_unavailable', 'down');
    const queue = new EventQueue<StoreEvent>();
    queue.push({ type: 'hello', generation: this.generation, contexts: [] });
    this.watchers.add(queue);
    signal.addEventListener('abort', () => queue.close(), { once: true });
    return queue;
  }

  /** The process died: every connection breaks. */
  crash(): void {
    this.up = false;
    for (const watcher of this.watchers) watcher.close(new Error('connection lost'));
    this.watchers.clear();
  }

  restart(): void {
    this.generation = 'gen-b';
    this.up = true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
