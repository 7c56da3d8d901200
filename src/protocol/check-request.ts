// Everything about a request that can be wrong, found before a runner touches anything (security tests L4,
// design: runner validates). A segment that was here once may be gone by now: that is no error, those
// tokens are computed fresh; one that never was, or belongs to another scope, is refused.
import { KvShareError } from '../errors.ts';
import { checkPlan } from './check-plan.ts';
import type { GenerateRequest, StoredContext } from './generation.ts';
import type { PlanImport, ReusePlan } from './reuse-plan.ts';

/** Whom the request is for. */
export interface RequestRules {
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly fingerprint: string;
  readonly stored: {
    get(segment: string): StoredContext | null;
    /** Whether it was ever given out. */
    wasIssued(segment: string): boolean;
  };
}

function checkTokens(
  tokens: readonly number[],
  { contextLength, vocabSize }: Pick<RequestRules, 'contextLength' | 'vocabSize'>,
): void {
  if (tokens.length === 0) throw new KvShareError('invalid_request', 'The prompt has no tokens.');
  if (tokens.length >= contextLength) {
    throw new KvShareError(
      'context_length_exceeded',
      `The prompt has ${tokens.length} tokens; this model reads at most ${contextLength - 1}.`,
    );
  }
  const known = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < vocabSize;
  if (!tokens.every(known)) {
    throw new KvShareError('invalid_request', 'The prompt holds an id outside the vocabulary.');
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

/** Approximate KV may stay where it was made: behind the same tokens, at the same positions. */
function beginsAlike(context: StoredContext, request: GenerateRequest, end: number): boolean {
  for (let at = 0; at < end; at++) if (context.tokens[at] !== request.tokens[at]) return false;
  return true;
}

function checkImport(
  entry: PlanImport,
  plan: ReusePlan,
  request: GenerateRequest,
  context: StoredContext,
): void {
  const end = entry.donorStart + entry.length;
  if (end > context.tokens.length) {
    throw new KvShareError('plan_out_of_bounds', 'An import reaches beyond its segment.');
  }
  const goesOn = entry.donorStart === entry.targetStart && beginsAlike(context, request, end);
  if (end > context.exactTokens && (entry.exact || !goesOn)) {
    throw new KvShareError('plan_invalid', 'An import takes approximate KV as if it were exact.');
  }
  if (allowsUnequal(plan, entry)) return;
  for (let i = 0; i < entry.length; i++) {
    if (context.tokens[entry.donorStart + i] !== request.tokens[entry.targetStart + i]) {
      throw new KvShareError('plan_invalid', 'An imported token differs from the donor’s.');
    }
  }
}

/** Throws KvShareError; touches nothing. */
export function checkRequest(request: GenerateRequest, rules: RequestRules): void {
  const { fingerprint, stored } = rules;
  checkTokens(request.tokens, rules);
  checkSampling(request);
  if (!request.plan) return;
  const plan = checkPlan(request.plan, { numTokens: request.tokens.length, fingerprint });
  for (const entry of plan.imports) {
    const context = stored.get(entry.segment);
    if (context?.scope === request.scope) checkImport(entry, plan, request, context);
    else if (context || !stored.wasIssued(entry.segment)) {
      throw new KvShareError(
        'plan_unknown_segment',
        'An import names a segment that never was here.',
      );
    }
  }
}
