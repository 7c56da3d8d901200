// One request on a replica: its stream of text becomes events of the port. What it reused is in the usage, which comes
// last; until then the receipt says that nobody knows.
import { KvShareError } from '../../src/errors.ts';
import type { GenerateEvent, GenerateRequest, Receipt } from '../../src/protocol/index.ts';
import type { NewContext } from '../kit/context-book.ts';
import type { CompletionServer, Usage } from './completions.ts';

export interface Job {
  readonly server: CompletionServer;
  readonly request: GenerateRequest;
  readonly generation: string;
  readonly cacheSalt: string;
  readonly maxTokens: number;
  readonly encode: (text: string) => readonly number[];
  readonly signal: AbortSignal;
}

/** What is known at the end. */
export interface Ended {
  readonly usage: Usage | null;
  readonly firstMs: number;
}

/** A server that kept fewer of the planned tokens than this has lost the context, not the end of a block. */
const LOST_TOKENS = 64;

const plannedTokens = ({ plan }: GenerateRequest): number =>
  (plan?.imports ?? []).reduce((sum, { length }) => sum + length, 0);

export function receiptOf(
  { request, generation }: Pick<Job, 'request' | 'generation'>,
  usage: Usage | null,
  firstMs: number,
): Receipt {
  const { tokens, plan } = request;
  const timings = { queueMs: 0, importMs: 0, prefillMs: firstMs, overheadMs: 0 };
  const head = { planId: plan?.planId ?? null, generation, timings };
  const none = { exactTokens: 0, importedTokens: 0, degraded: null, missingSegments: [] };
  if (usage?.cachedTokens == null) {
    const all = { recomputedTokens: tokens.length, chargedRecompute: 1 };
    return { ...head, ...none, ...all, unreported: true };
  }
  const { cachedTokens: exactTokens, importedTokens } = usage;
  const computed = usage.recomputedTokens ?? tokens.length - exactTokens;
  const isLost = plannedTokens(request) - exactTokens - importedTokens >= LOST_TOKENS;
  return {
    ...head,
    exactTokens,
    importedTokens,
    recomputedTokens: computed,
    chargedRecompute: computed / tokens.length,
    degraded: isLost ? 'segment-evicted' : null,
    missingSegments: isLost ? [plan!.imports[0]!.segment] : [],
  };
}

/** What the replica has read. The answer is not part of it: which tokens its text was is not known. */
export const contextOf = ({ tokens, scope, owner }: GenerateRequest): NewContext => ({
  scope,
  owner,
  tokens,
  exactTokens: tokens.length,
  promptTokens: tokens.length,
});

/** Receipt and tokens, then returns what came last. */
export async function* textEvents(
  job: Job,
): AsyncGenerator<GenerateEvent, Ended & { readonly end: 'stop' | 'length' }, undefined> {
  const { server, request, cacheSalt, maxTokens, encode, signal } = job;
  const { tokens, sampling } = request;
  const startedAt = performance.now();
  let firstMs: number | null = null;
  let usage: Usage | null = null;
  let end: 'stop' | 'length' | null = null;
  const parts = server.complete({ tokens, sampling, maxTokens, cacheSalt }, signal);
  for await (const part of parts) {
    signal.throwIfAborted();
    if (firstMs === null) {
      firstMs = performance.now() - startedAt;
      yield { type: 'receipt', receipt: receiptOf(job, null, firstMs) };
    }
    for (const id of encode(part.text)) yield { type: 'token', id };
    usage = part.usage ?? usage;
    end = part.end ?? end;
  }
  if (firstMs === null || end === null) {
    throw new KvShareError('runner_failed', 'The model server ended without an end.');
  }
  return { usage, firstMs, end };
}
