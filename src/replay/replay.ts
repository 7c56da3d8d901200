// One policy over a sequence of requests, planned as in production: an unlimited store, donors that were computed
// exactly, a conversation that may go on from its own KV. Nothing is run; times come from a speed table.
import type { Donor } from '../kv/index.ts';
import { DonorIndex, tenantScope } from '../match/index.ts';
import { findCandidates, type SimilarPrompts } from '../similar/index.ts';
import type { PlanImport, ReusePlan, RunnerInfo } from '../protocol/index.ts';
import {
  planReuse,
  putTogether,
  recipeOf,
  searchFor,
  type PlanDecision,
  type PlanInput,
  type ReuseOptions,
} from '../reuse/index.ts';

export interface ReplayRequest {
  readonly tenant: string;
  readonly user: string;
  /** Milliseconds from the start. */
  readonly at: number;
  readonly tokens: Int32Array;
  readonly suffixStart: number;
}

export interface ReplayOptions {
  readonly reuse: ReuseOptions;
  /** Whether tenants are kept apart. */
  readonly shared: boolean;
  readonly runner: PlanInput['runner'];
  readonly tokenClasses: Uint8Array;
  readonly readText: PlanInput['readText'];
  /** Vectors, where the texts are at hand; closed by whoever opened it. */
  readonly similar: SimilarPrompts | null;
}

export interface Replayed {
  readonly decision: PlanDecision;
  readonly lookupMs: number;
  /** Imported tokens of another tenant's donors. */
  readonly crossTenant: number;
  /** Imported tokens that differ from the donor's. */
  readonly unequal: number;
}

export class Replay {
  readonly #options: ReplayOptions;
  readonly #index = new DonorIndex();
  readonly #tenants = new Map<string, string>();
  #served = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async serve(request: ReplayRequest): Promise<Replayed> {
    const { tenant, user, tokens, at } = request;
    const scope = tenantScope(this.#options.shared ? 'everybody' : tenant, null);
    const owner = `${tenant}/${user}`;
    const segment = `replay.${this.#served++}`;
    const start = performance.now();
    const decision = await this.#plan(request, scope, owner);
    const lookupMs = performance.now() - start;
    const replayed = { decision, lookupMs, ...this.#judge(request, decision) };
    this.#tenants.set(segment, tenant);
    const donor: Donor = {
      segment,
      scope,
      owner,
      tokens,
      exactTokens: firstApproximate(decision.plan, tokens.length),
      promptTokens: tokens.length,
      storedAt: at,
      // Whatever a conversation stands on here was put together by the same settings.
      ...putTogether(decision.plan, this.#options.reuse, null),
    };
    this.#index.add(donor);
    this.#options.similar?.add(donor);
    return replayed;
  }

  async #plan(
    { tokens, suffixStart }: ReplayRequest,
    scope: string,
    owner: string,
  ): Promise<PlanDecision> {
    const { reuse, runner, tokenClasses, readText, similar } = this.#options;
    await similar?.settled();
    const recipe = recipeOf(reuse);
    const query = { scope, owner, target: tokens, recipe, ...searchFor(reuse) };
    const candidates = await findCandidates(this.#index, similar, query);
    return planReuse({
      planId: `plan-${this.#served}`,
      target: tokens,
      suffixStart,
      tokenClasses,
      candidates,
      options: reuse,
      runner,
      readText,
    });
  }

  #judge({ tenant, tokens }: ReplayRequest, { plan }: PlanDecision) {
    let [crossTenant, unequal] = [0, 0];
    for (const entry of plan?.imports ?? []) {
      if (this.#tenants.get(entry.segment) !== tenant) crossTenant += entry.length;
      unequal += unequalTokens(entry, this.#index.get(entry.segment)!, tokens);
    }
    return { crossTenant, unequal };
  }
}

function unequalTokens(
  { donorStart, targetStart, length }: PlanImport,
  donor: Donor,
  target: Int32Array,
): number {
  let unequal = 0;
  for (let i = 0; i < length; i++) {
    if (donor.tokens[donorStart + i] !== target[targetStart + i]) unequal++;
  }
  return unequal;
}

/** Where exactly computed KV ends when this plan is carried out. */
function firstApproximate(plan: ReusePlan | null, numTokens: number): number {
  for (const { exact, targetStart, length } of plan?.imports ?? []) {
    if (exact) continue;
    let at = targetStart;
    for (const { start, end } of plan!.recompute) if (start <= at && at < end) at = end;
    if (at < targetStart + length) return at;
  }
  return numTokens;
}

/** Able to do everything, at fixed and published speeds: what each policy would do, not what one runner can. */
export const replayRunner: Pick<RunnerInfo, 'fingerprint' | 'speeds' | 'capabilities' | 'layout'> =
  {
    fingerprint: 'replay',
    // Op-by-op native TensorFlow on two cores.
    speeds: {
      prefillFixedMs: 115,
      prefillMsPerToken: 2,
      importFixedMs: 10,
      importMsPerToken: 0.05,
    },
    capabilities: {
      imports: 'runs',
      topUp: ['query-attention', 'v-deviation', 'dhd'],
      fullLayers: true,
      decodeRefresh: true,
      driftCorrection: true,
      unequalTokens: true,
      compare: true,
    },
    layout: {
      numLayers: 30,
      numKvHeads: 3,
      headDim: 64,
      dtype: 'float32',
      ropeTheta: 100_000,
      ropeDims: 64,
    },
  };
