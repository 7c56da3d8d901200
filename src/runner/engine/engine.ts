// STORY 2: the runner's engine. Requests are checked, wait, then share the machine in small steps: one
// prefill chunk of one unfinished prompt, one token for everybody who is decoding, and again.
// Design: 1 schedule → 2 import → 3 recompute → 4 decode → 5 keep.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  EventQueue,
  PLAN_VERSION,
  type CompareRequest,
  type Comparison,
  type GenerateEvent,
  type GenerateRequest,
  type Runner,
  type RunnerInfo,
  type StoreControl,
  type StoreEvent,
} from '../../protocol/index.ts';
import type { Tf } from '../backend/index.ts';
import { isOutOfMemory } from '../out-of-memory.ts';
import type { Scheduler } from '../schedulers.ts';
import { layoutOf } from '../model/model-config.ts';
import type { Transformer } from '../model/transformer.ts';
import { controlStore } from '../store/control-store.ts';
import type { DiskStore } from '../store/disk/disk-store.ts';
import type { KvTiers } from '../store/kv-store-options.ts';
import { KvStore } from '../store/kv-store.ts';
import { Admission } from './admission.ts';
import { Breath } from './breath.ts';
import { capabilities, checkAnswer, checkRequest, type Limits } from './check-request.ts';
import { compare, requestOf } from './compare.ts';
import { Comparisons } from './comparisons.ts';
import { DecodeBatch } from './decode-batch.ts';
import { decodeWithRefresh, dueRefresh } from './decode-refresh.ts';
import type { StepContext } from './forward-rows.ts';
import { Sequence, type Phase } from './sequence.ts';
import { SpeedMeter } from './speed-meter.ts';
import { startSequence } from './start-sequence.ts';
import { keepAnswer, keepPrompt, prefillChunk } from './steps.ts';
import { finish } from './work.ts';

export interface EngineOptions {
  readonly model: Transformer;
  readonly modelId: string;
  readonly backend: RunnerInfo['backend'];
  readonly fingerprint: string;
  /** New on every start, [A-Za-z0-9-]+. */
  readonly generation: string;
  /** Most bytes of live KV, of requests and what is kept. */
  readonly maxKvBytes: number;
  /** Longest wait of a request for others to leave it room. */
  readonly memoryWaitMs?: number;
  /** What is kept beside it; nothing, unless asked for. */
  readonly tiers?: KvTiers | undefined;
  readonly disk?: DiskStore | null;
  /** Most prompt positions computed in one step. */
  readonly chunkTokens: number;
  /** The same while others are decoding: they wait that long for their next token. */
  readonly sharedChunkTokens: number;
  readonly maxRunning: number;
  readonly scheduler: Scheduler;
  /** A step threw: the request fails alone, the operator should hear of it. */
  readonly onFault: (error: unknown) => void;
  /** Something is wrong with the store: KV is lost or not kept, no request fails. */
  readonly onStoreProblem?: (what: string, error: unknown) => void;
}

const IDLE_MS = 250;
const MEMORY_WAIT_MS = 30_000;

export class Engine implements Runner {
  readonly #options: EngineOptions;
  readonly #store: KvStore;
  readonly #step: StepContext;
  readonly #batch: DecodeBatch;
  readonly #speeds = new SpeedMeter();
  readonly #breath = new Breath(() => this.#store.moving);
  readonly #watchers = new Set<EventQueue<StoreEvent>>();
  readonly #admission: Admission;
  /** What a request must keep to. */
  readonly #limits: Limits;
  readonly #comparisons = new Comparisons();
  #sequences: Sequence[] = [];
  #loop: Promise<void> | null = null;
  #closed = false;
  #idle: NodeJS.Timeout | null = null;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { model, chunkTokens, sharedChunkTokens, generation } = options;
    this.#store = new KvStore({
      ...options.tiers,
      maxBytes: options.maxKvBytes,
      tf: model.tf,
      layout: layoutOf(model.config),
      disk: options.disk ?? null,
      generation,
      ...(options.onStoreProblem && { onProblem: options.onStoreProblem }),
      onEvict: (segments) => {
        for (const watcher of this.#watchers) watcher.push({ type: 'evicted', segments });
      },
    });
    this.#batch = new DecodeBatch(model);
    const { scheduler, maxRunning, memoryWaitMs = MEMORY_WAIT_MS } = options;
    this.#admission = new Admission({ scheduler, maxRunning, memoryWaitMs, store: this.#store });
    const { contextLength, vocabSize } = model.config;
    this.#limits = { contextLength: Math.min(contextLength, this.#store.capacity), vocabSize };
    const steadyChunk = Math.min(chunkTokens, sharedChunkTokens);
    this.#step = {
      model,
      store: this.#store,
      chunkSize: () => (this.#inPhase('decode').length > 0 ? steadyChunk : chunkTokens),
      steadyChunk,
    };
  }

  get control(): StoreControl {
    return controlStore(this.#store);
  }

  get store(): KvStore {
    return this.#store;
  }

  get tf(): Tf {
    return this.#options.model.tf;
  }

  info(): Promise<RunnerInfo> {
    const { model, modelId, backend, fingerprint, generation } = this.#options;
    const open = this.#sequences.filter((s) => s.phase !== 'done');
    const waiting = this.#inPhase('waiting', 'fetch').length;
    return Promise.resolve({
      protocolVersions: [PLAN_VERSION],
      capabilities,
      generation,
      model: { id: modelId, ...this.#limits },
      backend,
      fingerprint,
      layout: layoutOf(model.config),
      speeds: this.#speeds.table,
      store: this.#store.info,
      requests: { running: open.length - waiting, waiting },
    });
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    checkRequest(request, this.#limits, this.#options.fingerprint, this.#store);
    const sequence = new Sequence(request, signal);
    this.#admission.add(sequence, this.#inPhase('prefill')[0]);
    this.#sequences.push(sequence);
    this.#loop ??= this.#run();
    return sequence.events;
  }

  async compare(request: CompareRequest, signal: AbortSignal): Promise<Comparison | null> {
    const { fingerprint } = this.#options;
    checkRequest(requestOf(request), this.#limits, fingerprint, this.#store);
    checkAnswer(request, this.#limits);
    if (this.#closed) return null;
    // Small steps even when nobody decodes: a request that arrives waits for one of them.
    const chunkSize = (): number => this.#step.steadyChunk;
    const result = this.#comparisons.add(compare(request, { ...this.#step, chunkSize }), signal);
    this.#loop ??= this.#run();
    return result;
  }

  watch(signal: AbortSignal): AsyncIterable<StoreEvent> {
    const queue = new EventQueue<StoreEvent>();
    queue.push({
      type: 'hello',
      generation: this.#options.generation,
      contexts: this.#store.contexts(),
    });
    this.#watchers.add(queue);
    const stop = (): void => {
      this.#watchers.delete(queue);
      queue.close();
    };
    if (signal.aborted || this.#closed) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return queue;
  }

  /** Measures this machine before the first request: also the warm-up of every kernel. */
  async calibrate(): Promise<void> {
    await this.#speeds.calibrate(this.#options.model);
    if (this.#options.model.warmUp()) this.#warmUpWhenIdle();
  }

  /** What only several requests at once need gets ready while there are none. */
  #warmUpWhenIdle(): void {
    this.#idle = setTimeout(() => {
      if (this.#closed) return;
      if (this.#loop || this.#options.model.warmUp()) this.#warmUpWhenIdle();
    }, IDLE_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#idle) clearTimeout(this.#idle);
    await this.#loop;
    this.#comparisons.clear();
    for (const sequence of this.#sequences) sequence.end('cancelled');
    this.#sequences = [];
    for (const watcher of this.#watchers) watcher.close();
    await this.#store.close();
  }

  async #run(): Promise<void> {
    while (this.#sequences.length + this.#comparisons.size > 0 && !this.#closed) {
      for (const sequence of this.#inPhase('waiting', 'fetch')) this.#goesOn(sequence);
      const next = this.#nextPrefill();
      if (next) await this.#turn(next, () => this.#prefill(next));
      // All wait for KV that is on its way, or for room.
      else if (this.#inPhase('keep', 'decode').length === 0) await sleep(1);
      for (const sequence of this.#inPhase('keep')) {
        await this.#turn(sequence, () => keepPrompt(sequence, this.#step));
      }
      await this.#decode(this.#inPhase('decode'));
      this.#sequences = this.#sequences.filter((s) => s.phase !== 'done');
      await this.#compareStep();
    }
    this.#loop = null;
  }

  async #compareStep(): Promise<void> {
    if (this.#comparisons.size === 0) return;
    await this.#comparisons.step();
    await this.#breath.take();
  }

  #inPhase(...phases: readonly Phase[]): Sequence[] {
    return this.#sequences.filter(({ phase }) => phases.includes(phase));
  }

  /** A prompt that was begun goes on; the next one begins when there is room, and its KV is live. */
  #nextPrefill(): Sequence | undefined {
    const [begun] = this.#inPhase('prefill');
    if (begun) return begun;
    const arrived = this.#inPhase('fetch').find((sequence) => sequence.hasKv(this.#store));
    if (arrived) return arrived;
    const next = this.#admission.next(this.#sequences.length - this.#admission.size);
    // Another one may begin while its KV is fetched.
    return !next || next.hasKv(this.#store) ? next : this.#nextPrefill();
  }

  async #prefill(sequence: Sequence): Promise<void> {
    if (sequence.phase === 'fetch') startSequence(sequence, this.#step);
    if (!(await this.#prefillChunk(sequence))) return;
    const { numLayers } = this.#options.model.config;
    const computed = sequence.layerTokens / numLayers;
    this.#speeds.observe({ ...sequence.counts, computed }, sequence.timings);
    sequence.sendReceipt(this.#options.generation, numLayers);
    this.#emitToken(sequence);
  }

  /** Most likely memory is short: half of what is kept goes, and the prompt is computed once more, cold. */
  async #prefillChunk(sequence: Sequence): Promise<boolean> {
    try {
      return await prefillChunk(sequence, this.#step);
    } catch (error) {
      if (sequence.degraded === 'import-failed') throw error;
      this.#options.onFault(error);
      this.#store.shed();
      sequence.goCold();
      return false;
    }
  }

  async #decode(all: readonly Sequence[]): Promise<void> {
    const decoding = all.filter((sequence) => sequence.hasRoom());
    // What keeps their room is released in a moment: KV that was brought for somebody who is about to start.
    if (decoding.length < all.length) await sleep(1);
    const refreshing = decoding.filter((sequence) => dueRefresh(sequence) > 0);
    for (const sequence of refreshing) {
      await this.#turn(sequence, async () => {
        await finish(decodeWithRefresh(sequence, this.#step));
        this.#emitToken(sequence);
      });
    }
    const together = decoding.filter((s) => !refreshing.includes(s) && this.#goesOn(s));
    for (let at = 0; at < together.length; at += this.#batch.capacity) {
      await this.#decodeBatch(together.slice(at, at + this.#batch.capacity));
    }
  }

  async #decodeBatch(sequences: readonly Sequence[]): Promise<void> {
    try {
      await this.#batchStep(sequences);
      for (const sequence of sequences) this.#emitToken(sequence);
    } catch (error) {
      // A step has no fault of one sequence: what fails is the machine (memory).
      this.#batch.clear();
      for (const sequence of sequences) {
        if (sequence.phase === 'decode') this.#fail(sequence, error);
      }
    }
    await this.#breath.take();
  }

  /** Where memory is short, once more without half of what is kept. */
  async #batchStep(sequences: readonly Sequence[]): Promise<void> {
    try {
      await finish(this.#batch.step(sequences));
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      this.#options.onFault(error);
      this.#store.shed();
      await finish(this.#batch.step(sequences));
    }
  }

  #fail(sequence: Sequence, error: unknown): void {
    this.#options.onFault(error);
    sequence.fail(isOutOfMemory(error) ? 'memory_short' : 'runner_failed');
  }

  /** False = the client has gone. */
  #goesOn(sequence: Sequence): boolean {
    if (sequence.signal.aborted && sequence.phase !== 'done') {
      this.#batch.leave(sequence);
      this.#admission.remove(sequence);
      sequence.end('cancelled');
    }
    return sequence.phase !== 'done';
  }

  async #turn(sequence: Sequence, work: () => void | Promise<void>): Promise<void> {
    try {
      if (this.#goesOn(sequence)) await work();
    } catch (error) {
      this.#fail(sequence, error);
    }
    await this.#breath.take();
  }

  #emitToken(sequence: Sequence): void {
    const { sampling, tokens } = sequence.request;
    const id = sequence.generated.at(-1)!;
    const stopped = sampling.stopTokens.includes(id);
    if (!stopped) sequence.events.push({ type: 'token', id });
    const full = tokens.length + sequence.generated.length >= this.#limits.contextLength;
    if (!stopped && !full && sequence.generated.length < sampling.maxTokens) return;
    if (sequence.phase === 'keep') keepPrompt(sequence, this.#step);
    this.#batch.leave(sequence);
    keepAnswer(sequence, this.#step);
    sequence.end(stopped ? 'stop' : 'length');
  }
}
