// Everything about a request that can be wrong, found before any tensor is touched (security tests L4,
// design: runner validates). A segment that was here once may be gone by now: that is no error, the
// engine computes those tokens fresh; one that never was, or belongs to another scope, is refused.
import { KvShareError } from '../../errors.ts';
import {
  checkPlan,
  topUpSelectors,
  type CompareRequest,
  type GenerateRequest,
  type PlanImport,
  type ReusePlan,
  type RunnerCapabilities,
} from '../../protocol/index.ts';
import type { ModelConfig } from '../model/model-config.ts';
import type { KvStore, StoredKv } from '../store/kv-store.ts';

const isKnown = (id: number, { vocabSize }: ModelConfig): boolean =>
  Number.isInteger(id) && id >= 0 && id < vocabSize;

function checkTokens(tokens: readonly number[], config: ModelConfig): void {
  if (tokens.length === 0) throw new KvShareError('invalid_request', 'The prompt has no tokens.');
  if (tokens.length >= config.contextLength) {
    throw new KvShareError(
      'context_length_exceeded',
      `The prompt has ${tokens.length} tokens; this model reads at most ${config.contextLength - 1}.`,
    );
  }
  if (!tokens.every((id) => isKnown(id, config))) {
    throw new KvShareError('invalid_request', 'The prompt holds an id outside the vocabulary.');
  }
}

/** Of a comparison: tokens that both sides are asked about. */
export function checkAnswer({ tokens, answer }: CompareRequest, config: ModelConfig): void {
  const fits = answer.length > 0 && tokens.length + answer.length <= config.contextLength;
  if (!fits || !answer.every((id) => isKnown(id, config))) {
    throw new KvShareError(
      'invalid_request',
      'The answer is empty, too long or holds unknown ids.',
    );
  }
}

function checkSampling({ sampling }: GenerateRequest): void {
  const { temperature, topP, seed, maxTokens } = sampling;
  const good =
    temperature >= 0 &&
    Number.isFinite(temperature) &&
    topP > 0 &&
    topP <= 1 &&
    Number.isInteger(seed) &&
    Number.isInteger(maxTokens) &&
    maxTokens >= 1;
  if (!good) throw new KvShareError('invalid_request', 'The sampling options are out of range.');
}

/** Policy `semantic`: tokens that only stand for the same thing, computed afresh in the first layers. */
const allowsUnequal = ({ policy, fullLayers }: ReusePlan, entry: PlanImport): boolean =>
  policy === 'semantic' && fullLayers >= 1 && !entry.exact;

function checkImport(
  entry: PlanImport,
  plan: ReusePlan,
  request: GenerateRequest,
  source: StoredKv,
): void {
  const { context } = source;
  const end = entry.donorStart + entry.length;
  if (end > context.tokens.length) {
    throw new KvShareError('plan_out_of_bounds', 'An import reaches beyond its segment.');
  }
  const sameOwner = context.owner !== null && context.owner === request.owner;
  const continues = sameOwner && entry.donorStart === entry.targetStart;
  if (end > context.exactTokens && (entry.exact || !continues)) {
    throw new KvShareError('plan_invalid', 'An import takes approximate KV as if it were exact.');
  }
  if (allowsUnequal(plan, entry)) return;
  for (let i = 0; i < entry.length; i++) {
    if (context.tokens[entry.donorStart + i] !== request.tokens[entry.targetStart + i]) {
      throw new KvShareError('plan_invalid', 'An imported token differs from the donor’s.');
    }
  }
}

/** What this runner can do with a plan. */
export const capabilities: RunnerCapabilities = {
  imports: 'runs',
  topUp: topUpSelectors,
  fullLayers: true,
  decodeRefresh: true,
  unequalTokens: true,
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
  config: ModelConfig,
  fingerprint: string,
  store: KvStore,
): void {
  checkTokens(request.tokens, config);
  checkSampling(request);
  if (!request.plan) return;
  const plan = checkPlan(request.plan, { numTokens: request.tokens.length, fingerprint });
  checkExtras(plan);
  for (const entry of plan.imports) {
    const source = store.get(entry.segment);
    if (source?.context.scope === request.scope) checkImport(entry, plan, request, source);
    else if (source || !store.names.wasIssued(entry.segment)) {
      throw new KvShareError(
        'plan_unknown_segment',
        'An import names a segment that never was here.',
      );
    }
  }
}
