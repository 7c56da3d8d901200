// Any server that speaks OpenAI's API, or several of them with the same model, behind the runner port. Their prefix caches
// are their own: a plan is a hint which one to ask, and the receipt is what that one reports.
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { KvShareError } from '../../src/errors.ts';
import {
  checkRequest,
  PLAN_VERSION,
  type AdapterOptions,
  type GenerateEvent,
  type GenerateRequest,
  type OpenAdapter,
  type Runner,
  type RunnerInfo,
  type StoreEvent,
} from '../../src/protocol/index.ts';
import { ContextBook } from '../kit/context-book.ts';
import { Speeds } from '../kit/speeds.ts';
import { contextOf, receiptOf, textEvents, type Job } from './answer.ts';
import { checkServer } from './check-server.ts';
import { CompletionServer } from './completions.ts';
import { Replicas, type Replica } from './replicas.ts';

/** Between two looks whether a server is there. */
const LOOK_MS = 2_000;

const isGone = (error: unknown): boolean =>
  error instanceof KvShareError && error.code === 'runner_unavailable';

class OpenAiRunner implements Runner {
  readonly #options: AdapterOptions;
  readonly #book: ContextBook;
  readonly #replicas: Replicas;
  readonly #contextLength: number;
  readonly #fingerprint: string;
  readonly #speeds = new Speeds();

  constructor(
    options: AdapterOptions,
    servers: readonly CompletionServer[],
    contextLength: number,
  ) {
    this.#options = options;
    this.#contextLength = contextLength;
    this.#book = new ContextBook(options.generation);
    const forget = (segment: string): void => this.#book.remove([segment]);
    this.#replicas = new Replicas(servers, options.store.maxContexts, forget);
    const kind = `openai-compatible ${options.fingerprint}`;
    this.#fingerprint = createHash('sha256').update(kind).digest('hex').slice(0, 32);
  }

  info(): Promise<RunnerInfo> {
    const { modelId, generation, tokenizer } = this.#options;
    const { all } = this.#replicas;
    return Promise.resolve({
      protocolVersions: [PLAN_VERSION],
      capabilities: {
        imports: 'prefix',
        topUp: [],
        fullLayers: false,
        decodeRefresh: false,
        unequalTokens: false,
      },
      generation,
      model: {
        id: modelId,
        contextLength: this.#contextLength,
        vocabSize: tokenizer.vocabSize,
      },
      backend: { name: 'openai-compatible', description: `${all.length} servers` },
      fingerprint: this.#fingerprint,
      layout: null,
      speeds: this.#speeds.table,
      // How much the servers keep is their business; these are the prompts that are known to have been read.
      store: { bytes: 0, maxBytes: 0, contexts: this.#book.size },
      requests: { running: all.reduce((sum, { running }) => sum + running, 0), waiting: 0 },
    });
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    checkRequest(request, {
      contextLength: this.#contextLength,
      vocabSize: this.#options.tokenizer.vocabSize,
      fingerprint: this.#fingerprint,
      stored: this.#book,
    });
    const [first, ...more] = request.plan?.imports ?? [];
    // One beginning, in its place; a continuation is planned in two pieces.
    const isPrefix = [first, ...more].every(
      (entry) => entry?.segment === first?.segment && entry?.donorStart === entry?.targetStart,
    );
    if (isPrefix) return this.#answer(request, signal);
    throw new KvShareError('plan_unsupported', 'This runner goes on from one beginning only.');
  }

  async *watch(signal: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    await this.#look();
    const events = this.#book.watch(signal);
    const stop = new AbortController();
    const looking = this.#lookOn(AbortSignal.any([signal, stop.signal])).catch((error: unknown) =>
      events.close(error as Error),
    );
    try {
      yield* events;
    } finally {
      stop.abort();
      await looking;
    }
  }

  close(): Promise<void> {
    this.#book.disconnect(null);
    return Promise.resolve();
  }

  /** Who of them is there; throws when nobody is. */
  async #look(): Promise<void> {
    await Promise.all(
      this.#replicas.all.map(async (replica) => {
        try {
          await replica.server.model();
          // Whoever answers again may be another server.
          if (!replica.isUp) await checkServer(replica.server, this.#options);
          replica.isUp = true;
        } catch (error) {
          if (!isGone(error)) this.#options.onProblem('a model server cannot be used', error);
          this.#lose(replica);
        }
      }),
    );
    if (this.#replicas.all.some(({ isUp }) => isUp)) return;
    throw new KvShareError('runner_unavailable', 'No model server answers.');
  }

  async #lookOn(signal: AbortSignal): Promise<void> {
    const goesOn = (): Promise<boolean> => sleep(LOOK_MS, true, { signal }).catch(() => false);
    while (await goesOn()) await this.#look();
  }

  #lose(replica: Replica): void {
    this.#book.remove(this.#replicas.lost(replica));
  }

  /** A scope is told to nobody; what must not be kept gets a salt that nobody has again. */
  #saltOf({ scope, store, requestId }: GenerateRequest): string {
    const { secret, generation } = this.#options;
    const once = store ? '' : ` ${generation} ${requestId} ${performance.now()}`;
    return createHmac('sha256', secret).update(`${scope}${once}`).digest('base64url');
  }

  /** The next one is asked when the first is not there; what has begun is not begun again. */
  async *#answer(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const segment = request.plan?.imports[0]?.segment ?? null;
    const replicas = this.#replicas.inOrder({ segment, owner: request.owner });
    for (const [at, replica] of replicas.entries()) {
      replica.running++;
      try {
        yield* this.#ask(replica, request, signal);
        return;
      } catch (error) {
        if (signal.aborted) {
          yield { type: 'end', reason: 'cancelled' };
          return;
        }
        // Only a request that was not taken ends so: what breaks later is `runner_failed`.
        if (!isGone(error)) throw error;
        this.#lose(replica);
        if (at === replicas.length - 1) throw error;
      } finally {
        replica.running--;
      }
    }
  }

  async *#ask(
    replica: Replica,
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { generation, tokenizer } = this.#options;
    const room = this.#contextLength - request.tokens.length;
    const job: Job = {
      server: replica.server,
      request,
      generation,
      cacheSalt: this.#saltOf(request),
      maxTokens: Math.min(request.sampling.maxTokens, room),
      encode: (text) => tokenizer.encode(text),
      signal,
    };
    const { usage, firstMs, end } = yield* textEvents(job);
    const receipt = receiptOf(job, usage, firstMs);
    this.#speeds.read({ promptTokens: receipt.recomputedTokens, promptMs: firstMs });
    this.#book.remove(receipt.missingSegments);
    for (const missing of receipt.missingSegments) this.#replicas.forget(missing);
    yield { type: 'receipt', receipt };
    if (request.store) {
      const context = this.#book.add(contextOf(request));
      this.#replicas.remember(replica, { segment: context.segment, owner: request.owner });
      yield { type: 'stored', context };
    }
    const counted = usage && { completionTokens: usage.completionTokens };
    yield { type: 'end', reason: end, ...counted };
  }
}

export const openAdapter: OpenAdapter = async (options) => {
  const { urls, key, serverModel } = options;
  const servers = urls.map((url) => new CompletionServer(url, key, serverModel));
  let { contextLength } = options;
  for (const server of servers) {
    const model = await server.model();
    contextLength = Math.min(contextLength, model.contextLength ?? contextLength);
    await checkServer(server, options);
  }
  return new OpenAiRunner(options, servers, contextLength);
};
