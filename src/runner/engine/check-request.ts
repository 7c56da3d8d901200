// What this runner can do, and requests that ask for more; everything else that can be wrong is the same for all runners.
import { KvShareError } from '../../errors.ts';
import {
  checkRequest as checkForAll,
  topUpSelectors,
  type CompareRequest,
  type GenerateRequest,
  type ReusePlan,
  type RunnerCapabilities,
} from '../../protocol/index.ts';
import type { KvStore } from '../store/kv-store.ts';

export interface Limits {
  readonly contextLength: number;
  readonly vocabSize: number;
}

/** Of a comparison: tokens that both sides are asked about. */
export function checkAnswer({ tokens, answer }: CompareRequest, limits: Limits): void {
  const { contextLength, vocabSize } = limits;
  const fits = answer.length > 0 && tokens.length + answer.length <= contextLength;
  const isKnown = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < vocabSize;
  if (!fits || !answer.every(isKnown)) {
    throw new KvShareError(
      'invalid_request',
      'The answer is empty, too long or holds unknown ids.',
    );
  }
}

/** What this runner can do with a plan. */
export const capabilities: RunnerCapabilities = {
  imports: 'runs',
  topUp: topUpSelectors,
  fullLayers: true,
  decodeRefresh: true,
  unequalTokens: true,
  driftCorrection: true,
  compare: true,
  storeControl: true,
};

function checkExtras({ topUp, decodeRefresh }: ReusePlan): void {
  if (decodeRefresh > 0 && !topUp) {
    throw new KvShareError(
      'plan_unsupported',
      'Refreshing while decoding needs the scores of a top-up.',
    );
  }
}

/** Throws KvShareError; touches nothing. */
export function checkRequest(
  request: GenerateRequest,
  { contextLength, vocabSize }: Limits,
  fingerprint: string,
  store: KvStore,
): void {
  checkForAll(request, {
    contextLength,
    vocabSize,
    fingerprint,
    stored: {
      get: (segment) => store.get(segment)?.context ?? null,
      wasIssued: (segment) => store.names.wasIssued(segment),
    },
  });
  if (request.plan) checkExtras(request.plan);
}
