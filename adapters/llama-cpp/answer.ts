// One request on a slot: what it goes on from is put there, the server computes, its words become events. Whatever way it
// ends, the slot holds a context that we know afterwards, or nothing.
import type {
  DegradedReason,
  GenerateEvent,
  GenerateRequest,
  Receipt,
} from '../../src/protocol/index.ts';
import type { ContextBook } from '../kit/context-book.ts';
import type { ContextKeeper } from './context-keeper.ts';
import type { LlamaServer, ServerTimings } from './llama-server.ts';
import type { Reuse } from './slot-plan.ts';
import type { Slot } from './slot-table.ts';
import type { Speeds } from '../kit/speeds.ts';

export interface AnswerParts {
  readonly server: LlamaServer;
  readonly book: ContextBook;
  readonly keeper: ContextKeeper;
  readonly speeds: Speeds;
  readonly generation: string;
  readonly contextLength: number;
  readonly onProblem: (what: string, error: unknown) => void;
}

export interface Job {
  readonly request: GenerateRequest;
  readonly reuse: Reuse | null;
  readonly slot: Slot;
  readonly queueMs: number;
  readonly signal: AbortSignal;
}

/** What came of a request so far. */
interface Progress {
  readonly sent: number[];
  /** The server has read the whole prompt. */
  hasRead: boolean;
  isSettled: boolean;
}

function degradedBy(
  { book }: AnswerParts,
  { reuse }: Job,
  isThere: boolean,
  cachedTokens: number,
): DegradedReason | null {
  if (!reuse) return null;
  if (isThere) return cachedTokens === 0 ? 'import-failed' : null;
  return book.isOtherGeneration(reuse.segment) ? 'stale-generation' : 'segment-evicted';
}

/** From the server's own counters. What was moved up behind a cut is no exact prefix. */
function receiptOf(
  parts: AnswerParts,
  job: Job,
  { cachedTokens, promptTokens, promptMs }: ServerTimings,
  { isThere, importMs }: { isThere: boolean; importMs: number },
): Receipt {
  const { request, reuse, queueMs } = job;
  const exact = reuse?.closeCutsFrom ? Math.min(cachedTokens, reuse.prefix) : cachedTokens;
  const missing = reuse && !isThere && parts.book.get(reuse.segment) === null;
  return {
    planId: request.plan?.planId ?? null,
    generation: parts.generation,
    exactTokens: exact,
    importedTokens: cachedTokens - exact,
    recomputedTokens: promptTokens,
    chargedRecompute: promptTokens / request.tokens.length,
    degraded: degradedBy(parts, job, isThere, cachedTokens),
    missingSegments: missing ? [reuse.segment] : [],
    timings: { queueMs, importMs, prefillMs: promptMs, overheadMs: 0 },
  };
}

/** The slot's content, as far as it is known; null when it must not be used again. */
function settle(parts: AnswerParts, job: Job, progress: Progress) {
  const { request, reuse, slot } = job;
  progress.isSettled = true;
  // What was moved up counts as approximate, and nobody could go on from it.
  if (!progress.hasRead || !request.store || reuse?.closeCutsFrom) return null;
  // The last token was drawn, and is not computed yet.
  const tokens = [...request.tokens, ...progress.sent.slice(0, -1)];
  const { scope, owner } = request;
  const promptTokens = request.tokens.length;
  const context = { scope, owner, tokens, exactTokens: tokens.length, promptTokens };
  return parts.keeper.keep(slot, context, reuse && parts.book.get(reuse.segment));
}

async function eraseQuietly({ keeper, onProblem }: AnswerParts, slot: Slot): Promise<void> {
  await keeper.erase(slot).catch((error: unknown) => onProblem('a slot was not erased', error));
}

async function* events(
  parts: AnswerParts,
  job: Job,
  progress: Progress,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { request, reuse, slot, signal } = job;
  const { tokens, sampling } = request;
  const startedAt = performance.now();
  const isThere = await parts.keeper.prepare(slot, request, reuse);
  const importMs = performance.now() - startedAt;
  if (isThere) parts.speeds.imported(importMs);
  const chunks = parts.server.complete(
    {
      slot: slot.id,
      tokens,
      sampling,
      maxTokens: Math.min(sampling.maxTokens, parts.contextLength - tokens.length),
      usesCache: isThere,
      closeCutsFrom: isThere ? reuse!.closeCutsFrom : 0,
    },
    signal,
  );
  const stops = new Set(sampling.stopTokens);
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    if (!progress.hasRead) {
      progress.hasRead = true;
      parts.speeds.read(chunk.timings);
      const receipt = receiptOf(parts, job, chunk.timings, { isThere, importMs });
      yield { type: 'receipt', receipt };
    }
    const stop = chunk.tokens.findIndex((id) => stops.has(id));
    for (const id of stop < 0 ? chunk.tokens : chunk.tokens.slice(0, stop)) {
      progress.sent.push(id);
      yield { type: 'token', id };
    }
    const end = stop < 0 ? chunk.end : 'stop';
    if (end === null) continue;
    const context = settle(parts, job, progress);
    if (context) yield { type: 'stored', context };
    else await eraseQuietly(parts, slot);
    yield { type: 'end', reason: end };
    return;
  }
}

export async function* answer(
  parts: AnswerParts,
  job: Job,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const progress: Progress = { sent: [], hasRead: false, isSettled: false };
  try {
    yield* events(parts, job, progress);
  } catch (error) {
    if (!job.signal.aborted) throw error;
    yield { type: 'end', reason: 'cancelled' };
  } finally {
    // The server lets a slot be erased when it has stopped computing.
    if (!progress.isSettled && !settle(parts, job, progress)) await eraseQuietly(parts, job.slot);
  }
}
