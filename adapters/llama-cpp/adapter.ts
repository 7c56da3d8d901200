// llama.cpp's server behind the runner port. It keeps contexts in slots and goes on from the beginning of one; the plan
// says which context, this file which slot, files keep what does not fit. Receipts are the server's own counters.
import { createHash } from 'node:crypto';
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
import { answer, type AnswerParts } from './answer.ts';
import { checkServer, openSaved, type CheckedServer } from './check-server.ts';
import { ContextKeeper } from './context-keeper.ts';
import { LlamaServer } from './llama-server.ts';
import { chooseSlot, reuseOf, type Reuse } from './slot-plan.ts';
import type { SavedContexts } from './saved-contexts.ts';
import { SlotTable } from './slot-table.ts';
import { Speeds } from '../kit/speeds.ts';

/** Between two looks whether the server is there. */
const LOOK_MS = 1_000;

interface RunnerParts extends AnswerParts {
  readonly checked: CheckedServer;
  readonly slots: SlotTable;
  readonly saved: SavedContexts | null;
}

class LlamaCppRunner implements Runner {
  readonly #options: AdapterOptions;
  readonly #parts: RunnerParts;
  readonly #fingerprint: string;
  /** Whoever answers next may be another server. */
  #wasGone = false;

  constructor(options: AdapterOptions, parts: RunnerParts) {
    this.#options = options;
    this.#parts = parts;
    const kind = `llama-cpp ${parts.checked.shape.build} ${options.fingerprint}`;
    this.#fingerprint = createHash('sha256').update(kind).digest('hex').slice(0, 32);
  }

  info(): Promise<RunnerInfo> {
    const { checked, saved, slots } = this.#parts;
    const { shape, canCloseCuts } = checked;
    const { store, modelId, generation } = this.#options;
    return Promise.resolve({
      protocolVersions: [PLAN_VERSION],
      capabilities: {
        imports: canCloseCuts ? 'cuts' : 'prefix',
        topUp: [],
        fullLayers: false,
        decodeRefresh: false,
        unequalTokens: false,
      },
      generation,
      model: { id: modelId, contextLength: shape.contextPerSlot, vocabSize: shape.vocabSize },
      backend: { name: 'llama-cpp', description: `${shape.build}, ${shape.slots} slots` },
      fingerprint: this.#fingerprint,
      layout: null,
      speeds: this.#parts.speeds.table,
      store: {
        bytes: saved?.bytes ?? 0,
        maxBytes: saved ? store.maxBytes : 0,
        contexts: this.#parts.book.size,
      },
      requests: { running: slots.running, waiting: slots.waiting },
    });
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    const { shape, canCloseCuts } = this.#parts.checked;
    checkRequest(request, {
      contextLength: shape.contextPerSlot,
      vocabSize: shape.vocabSize,
      fingerprint: this.#fingerprint,
      stored: this.#parts.book,
    });
    return this.#answer(request, reuseOf(request.plan, canCloseCuts), signal);
  }

  async *watch(signal: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    const { server, book, keeper } = this.#parts;
    await (this.#wasGone ? this.#checkAgain() : server.health());
    const events = book.watch(signal);
    const stop = new AbortController();
    const looking = this.#look(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      this.#wasGone = true;
      keeper.forgetSlots();
      events.close(error as Error);
    });
    try {
      yield* events;
    } finally {
      stop.abort();
      await looking;
    }
  }

  async close(): Promise<void> {
    this.#parts.book.disconnect(null);
    await this.#parts.saved?.clear();
  }

  async #checkAgain(): Promise<void> {
    const { server, checked, speeds } = this.#parts;
    const { shape } = await checkServer(server, this.#options, speeds);
    if (shape.slots !== checked.shape.slots || shape.build !== checked.shape.build) {
      const message = "llama.cpp's server came back as another one: start the sidecar anew.";
      throw new KvShareError('config_invalid', message);
    }
    this.#wasGone = false;
  }

  /** Until it is aborted; throws when the server is gone. */
  async #look(signal: AbortSignal): Promise<void> {
    const goesOn = (): Promise<boolean> => sleep(LOOK_MS, true, { signal }).catch(() => false);
    while (await goesOn()) await this.#parts.server.health();
  }

  async *#answer(
    request: GenerateRequest,
    reuse: Reuse | null,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const cameAt = performance.now();
    const { contextOf } = this.#parts.keeper;
    const { slots } = this.#parts;
    const slot = await slots
      .take((idle) => chooseSlot(idle, request, reuse, contextOf), signal)
      .catch((error: unknown) => {
        if (signal.aborted) return null;
        throw error;
      });
    if (!slot) {
      yield { type: 'end', reason: 'cancelled' };
      return;
    }
    const queueMs = performance.now() - cameAt;
    try {
      yield* answer(this.#parts, { request, reuse, slot, queueMs, signal });
    } finally {
      slots.release(slot);
    }
  }
}

export const openAdapter: OpenAdapter = async (options) => {
  const { urls, key, generation, onProblem } = options;
  const [url, ...more] = urls;
  if (url === undefined || more.length > 0) {
    throw new KvShareError(
      'config_invalid',
      'The adapter llama-cpp takes the address of one server.',
    );
  }
  const server = new LlamaServer(url, key);
  const book = new ContextBook(generation);
  const speeds = new Speeds();
  const checked = await checkServer(server, options, speeds);
  const saved = await openSaved(server, options, (segment) => book.remove([segment]));
  const slots = new SlotTable(checked.shape.slots);
  const keeper = new ContextKeeper({ server, book, slots, saved, onProblem });
  const contextLength = checked.shape.contextPerSlot;
  const answering = { server, book, keeper, speeds, generation, contextLength, onProblem };
  return new LlamaCppRunner(options, { ...answering, checked, slots, saved });
};
