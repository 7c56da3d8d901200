// How look-ups and memory grow with the donors of one scope: equal runs and passages' vectors together, as the sidecar
// looks a prompt up. Texts are random words; vectors random directions, so that five passages a donor are all different.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Embedder } from '../embed/index.ts';
import type { Donor } from '../kv/index.ts';
import { DonorIndex } from '../match/index.ts';
import { findCandidates, SimilarPrompts } from '../similar/index.ts';
import { VectorIndexes } from '../vectors/index.ts';
import { emptyGraphProcess, memoryHere, residentOf } from './index-memory.ts';
import { LoopDelay } from './loop-delay.ts';
import { randomFrom } from './random.ts';
import { percentile } from './statistics.ts';

export interface IndexSuiteOptions {
  readonly donors: readonly number[];
  readonly tokensPerDonor: number;
  readonly lookups: number;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface IndexRun {
  readonly donors: number;
  readonly tokensPerDonor: number;
  readonly passages: number;
  readonly addMs: { readonly p50: number; readonly p99: number };
  readonly lookupMs: { readonly p50: number; readonly p99: number };
  /** Longest time that a look-up kept the event loop. */
  readonly loopDelayMs: { readonly p99: number; readonly max: number };
  /** Look-ups that found the donor that they were made from. */
  readonly found: number;
  /**
   * Beside the token ids and what an empty index takes, as measured: in this process behind a collection, and in the
   * one that holds the graph.
   */
  readonly bytesPerDonor: number;
  /** Of these, in the graph process. */
  readonly graphBytesPerDonor: number;
}

export interface IndexReport {
  readonly suite: 'index';
  /** Of the graph process before it has any vector; there is one, however many scopes and donors. */
  readonly fixedBytes: number;
  readonly runs: readonly IndexRun[];
}

const SCOPE = 'bench';
const DIMENSION = 128;
const PASSAGES = 5;
/** Ids below are text, this one ends a passage. */
const VOCABULARY = 40_000;
const NEWLINE_ID = VOCABULARY;
const MIN_RUN = 32;
const WARM_UP_DONORS = 100;
const SETTLE_EVERY = 256;
const PATIENCE_MS = 900_000;

/** The same direction for the same text; unrelated ones for others. */
const randomEmbedder: Embedder = {
  fingerprint: 'random',
  dimension: DIMENSION,
  defaultThreshold: 0.8,
  embed: (texts) =>
    Promise.resolve(
      texts.map((text) => {
        let seed = 0;
        for (const c of text) seed = Math.imul(seed ^ c.charCodeAt(0), 0x01000193);
        const random = randomFrom(seed);
        const vector = Float32Array.from({ length: DIMENSION }, () => random() + random() - 1);
        const norm = Math.hypot(...vector);
        return vector.map((x) => x / norm);
      }),
    ),
  close: () => Promise.resolve(),
};

function randomPrompt(random: () => number, numTokens: number): Int32Array {
  const length = Math.floor(numTokens / PASSAGES);
  // Without garbage: to collect it would be taken for a part of the look-up.
  const prompt = new Int32Array(numTokens);
  for (let i = 0; i < numTokens; i++) {
    prompt[i] = i % length === length - 1 ? NEWLINE_ID : Math.floor(random() * VOCABULARY);
  }
  return prompt;
}

/** Another beginning, then passages of two donors in another order. */
function mixedPrompt(random: () => number, a: Int32Array, b: Int32Array): Int32Array {
  const length = Math.floor(a.length / PASSAGES);
  const passage = (from: Int32Array, at: number): Int32Array =>
    from.subarray(at * length, (at + 1) * length);
  const head = randomPrompt(random, length);
  const parts = [head, passage(a, 3), passage(a, 1), passage(b, 4), passage(b, 0), head];
  const prompt = new Int32Array(parts.length * length);
  parts.forEach((part, at) => prompt.set(part, at * length));
  return prompt;
}

class Scope {
  readonly #vectors = new VectorIndexes({ dimension: DIMENSION });
  readonly index = new DonorIndex();
  readonly similar: SimilarPrompts;
  readonly donors: Donor[] = [];
  readonly #graphBase: number;

  constructor(graphBase: number) {
    this.#graphBase = graphBase;
    const tokenClasses = new Uint8Array(VOCABULARY + 1);
    tokenClasses[NEWLINE_ID] = 2;
    this.similar = new SimilarPrompts({
      embedder: randomEmbedder,
      vectors: this.#vectors,
      tokenClasses,
      readText: (tokens, start, end) => tokens.subarray(start, Math.min(end, start + 8)).join(' '),
      onFailure: (error) => {
        throw error as Error;
      },
    });
  }

  add(tokens: Int32Array): void {
    const numTokens = tokens.length;
    const donor: Donor = {
      segment: `bench.${this.donors.length}`,
      scope: SCOPE,
      owner: null,
      tokens,
      exactTokens: numTokens,
      promptTokens: numTokens,
      storedAt: this.donors.length,
    };
    this.donors.push(donor);
    this.index.add(donor);
    this.similar.add(donor);
  }

  /** What the graph process has beyond an empty one; 0 where that cannot be read. */
  graphMemory(): number {
    return Math.max(0, residentOf(this.#vectors) - this.#graphBase);
  }

  async close(): Promise<void> {
    await this.similar.close();
    await this.#vectors.close();
  }
}

async function fill(scope: Scope, count: number, numTokens: number, random: () => number) {
  const addMs: number[] = [];
  while (scope.donors.length < count) {
    const tokens = randomPrompt(random, numTokens);
    const start = performance.now();
    scope.add(tokens);
    if (scope.donors.length % SETTLE_EVERY === 0) {
      await scope.similar.settled();
    }
    addMs.push(performance.now() - start);
  }
  await scope.similar.settled();
  return addMs;
}

/** The graph has all vectors, or there is none to wait for. */
async function caughtUp({ similar }: Scope): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (similar.stats().lag > 0 && performance.now() < end) await sleep(50);
}

async function lookUp(scope: Scope, lookups: number, random: () => number) {
  const times: number[] = [];
  const delay = new LoopDelay();
  let found = 0;
  const pick = (): Donor => scope.donors[Math.floor(random() * scope.donors.length)]!;
  for (let i = 0; i < lookups; i++) {
    const [a, b] = [pick(), pick()];
    const target = mixedPrompt(random, a.tokens, b.tokens);
    await delay.start();
    const start = performance.now();
    const candidates = await findCandidates(scope.index, scope.similar, {
      ...{ scope: SCOPE, owner: null, target, minRun: MIN_RUN, paraphrases: false },
    });
    times.push(performance.now() - start);
    delay.stop();
    if (candidates.runs.some(({ donor }) => donor === a) && candidates.similarity.has(b)) found++;
  }
  return { times, delays: delay.delays, found };
}

/** Code that runs for the first time is compiled, and that takes memory and time of its own. */
async function warmUp(numTokens: number): Promise<void> {
  const random = randomFrom(2);
  const scope = new Scope(0);
  await fill(scope, WARM_UP_DONORS, numTokens, random);
  await lookUp(scope, WARM_UP_DONORS, random);
  await scope.close();
}

export async function runIndexSuite(options: IndexSuiteOptions): Promise<IndexReport> {
  const { donors, tokensPerDonor, lookups, onProgress } = options;
  const runs: IndexRun[] = [];
  const random = randomFrom(1);
  const fixedBytes = await emptyGraphProcess(DIMENSION);
  await warmUp(tokensPerDonor);
  const before = memoryHere();
  const scope = new Scope(fixedBytes);
  let done = 0;
  for (const count of [...donors].sort((a, b) => a - b)) {
    onProgress(done++, donors.length, `${count} donors`);
    const addMs = await fill(scope, count, tokensPerDonor, random);
    await caughtUp(scope);
    await lookUp(scope, Math.ceil(lookups / 10), random);
    const { times, delays, found } = await lookUp(scope, lookups, random);
    const { passages } = scope.similar.stats();
    const [here, graph] = [memoryHere() - before, scope.graphMemory()];
    const ids = 4 * count * tokensPerDonor;
    runs.push({
      donors: count,
      tokensPerDonor,
      passages,
      addMs: { p50: percentile(addMs, 0.5), p99: percentile(addMs, 0.99) },
      lookupMs: { p50: percentile(times, 0.5), p99: percentile(times, 0.99) },
      loopDelayMs: { p99: percentile(delays, 0.99), max: Math.max(...delays) },
      found: found / lookups,
      bytesPerDonor: (here - ids + graph) / count,
      graphBytesPerDonor: graph / count,
    });
  }
  await scope.close();
  return { suite: 'index', fixedBytes, runs };
}

export function formatIndex({ fixedBytes, runs }: IndexReport): string {
  const head =
    '  donors  passages  add p50  lookup p50     p99  loop held    found  bytes/donor (graph)';
  const rows = runs.map((run) =>
    [
      `${run.donors}`.padStart(8),
      `${run.passages}`.padStart(9),
      `${run.addMs.p50.toFixed(2)} ms`.padStart(8),
      `${run.lookupMs.p50.toFixed(1)} ms`.padStart(11),
      `${run.lookupMs.p99.toFixed(1)} ms`.padStart(7),
      `${run.loopDelayMs.max.toFixed(1)} ms`.padStart(10),
      `${(100 * run.found).toFixed(0)} %`.padStart(8),
      `${run.bytesPerDonor.toFixed(0)} (${run.graphBytesPerDonor.toFixed(0)})`.padStart(19),
    ].join(' '),
  );
  const fixed = `The graph process, empty: ${(fixedBytes / 1e6).toFixed(0)} MB`;
  return [head, ...rows, fixed].join('\n');
}
