// Is this value a plan that can be applied as given? Everything that a hostile or buggy sender could get
// wrong is refused here, before any tensor is touched: structure by schema, meaning by the rules of
// reuse-plan.ts. Plain arithmetic on numbers that the schema has bounded, so nothing can overflow.
import { Ajv } from 'ajv';
import { KvShareError, type ErrorCode } from '../errors.ts';
import { planSchema } from './plan-schema.ts';
import { PLAN_VERSION, type ReusePlan } from './reuse-plan.ts';

const hasPlanShape = new Ajv({ strict: true, allowUnionTypes: true }).compile<ReusePlan>(
  planSchema,
);

/** More ranges than this a token cannot come from a planner. */
const MAX_RANGES_PER_TOKEN = 4;

export interface PlanContext {
  readonly numTokens: number;
  readonly fingerprint: string;
}

function refuse(code: ErrorCode, message: string): never {
  throw new KvShareError(code, message);
}

function hasVersion(value: unknown): value is { version: unknown } {
  return typeof value === 'object' && value !== null && 'version' in value;
}

/** Throws KvShareError with a `plan_…` code. */
export function checkPlan(value: unknown, context: PlanContext): ReusePlan {
  if (hasVersion(value) && Number.isInteger(value.version) && value.version !== PLAN_VERSION) {
    refuse('plan_version_unsupported', `Only plan version ${PLAN_VERSION} is understood.`);
  }
  if (!hasPlanShape(value) || !hasPositiveZeros(value)) {
    refuse('plan_invalid', 'The plan does not match the published schema.');
  }
  if (value.fingerprint !== context.fingerprint) {
    refuse(
      'plan_fingerprint_mismatch',
      'The plan was made for another model, tokenizer or layout.',
    );
  }
  if (value.numTokens !== context.numTokens) {
    refuse('plan_out_of_bounds', 'The plan was made for a prompt of another length.');
  }
  if (value.imports.length + value.recompute.length > MAX_RANGES_PER_TOKEN * value.numTokens) {
    refuse('plan_invalid', 'The plan has more ranges than its prompt could need.');
  }
  if (value.topUp && value.topUp.keep > value.topUp.window) {
    refuse('plan_invalid', 'A top-up keeps more tokens of a group than the group has.');
  }
  if (value.driftCorrection !== undefined && (value.topUp || value.fullLayers > 0)) {
    refuse('plan_invalid', 'Drift is corrected where all layers compute the same tokens.');
  }
  checkImports(value);
  checkRecompute(value);
  checkCoverage(value);
  return value;
}

/** -0 passes every comparison with 0 but not every use; no honest sender writes it. */
function hasPositiveZeros(plan: ReusePlan): boolean {
  const numbers = [
    ...plan.imports.flatMap((i) => [i.donorStart, i.targetStart, i.length]),
    ...plan.recompute.flatMap((r) => [r.start, r.end]),
    plan.fullLayers,
    plan.decodeRefresh,
  ];
  return !numbers.some((n) => Object.is(n, -0));
}

function checkImports(plan: ReusePlan): void {
  let end = 0;
  let exactSoFar = true;
  for (const { donorStart, targetStart, length, exact } of plan.imports) {
    if (targetStart < end) refuse('plan_invalid', 'Imports overlap or are not sorted.');
    if (targetStart + length > plan.numTokens || donorStart + length > 2 ** 31) {
      refuse('plan_out_of_bounds', 'An import reaches beyond the prompt.');
    }
    const inPlace = exactSoFar && targetStart === end && donorStart === targetStart;
    if (exact && !inPlace) {
      refuse('plan_invalid', 'Only a prefix at its own position can be exact.');
    }
    exactSoFar = exact;
    end = targetStart + length;
  }
}

function checkRecompute(plan: ReusePlan): void {
  let end = 0;
  for (const range of plan.recompute) {
    if (range.start < end) refuse('plan_invalid', 'Recompute ranges overlap or are not sorted.');
    if (range.end <= range.start) refuse('plan_invalid', 'A recompute range is empty or reversed.');
    end = range.end;
  }
  if (end > plan.numTokens) refuse('plan_out_of_bounds', 'A range reaches beyond the prompt.');
  if (end !== plan.numTokens) refuse('plan_invalid', 'The last token must be recomputed.');
}

/** Every token is imported or recomputed: sweep over both sorted lists. */
function checkCoverage({ imports, recompute, numTokens }: ReusePlan): void {
  const ranges = [
    ...imports.map((i) => ({ start: i.targetStart, end: i.targetStart + i.length })),
    ...recompute,
  ].sort((a, b) => a.start - b.start);
  let covered = 0;
  for (const { start, end } of ranges) {
    if (start > covered) break;
    covered = Math.max(covered, end);
  }
  if (covered < numTokens) {
    refuse('plan_invalid', 'Some tokens are neither imported nor recomputed.');
  }
}
