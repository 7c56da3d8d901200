// `bench hit-rate`: the planner alone over request traces, every policy in a replay of its own, with an
// unlimited store and a fixed speed table. Donors as in production: only exactly computed tokens serve
// others; a conversation may go on from its own KV.
import { basename } from 'node:path';
import type { Donor } from '../kv/index.ts';
import { DonorIndex, tenantScope } from '../match/index.ts';
import {
  topUpSelectors,
  type PolicyName,
  type ReusePlan,
  type RunnerInfo,
  type SpeedTable,
} from '../protocol/index.ts';
import { optionsOf, planReuse, type PlanDecision } from '../reuse/index.ts';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/index.ts';
import { percentile } from './statistics.ts';
import { readTrace, type TraceRequest } from './trace-file.ts';

/** Published with the results: op-by-op native TensorFlow on two cores. */
export const fixedSpeeds: SpeedTable = {
  prefillFixedMs: 115,
  prefillMsPerToken: 2,
  importFixedMs: 10,
  importMsPerToken: 0.05,
};

/** Able to do everything: what each policy would do, not what one runner can. */
const replayRunner: Pick<RunnerInfo, 'fingerprint' | 'speeds' | 'capabilities' | 'layout'> = {
  fingerprint: 'replay',
  speeds: fixedSpeeds,
  capabilities: {
    topUp: topUpSelectors,
    fullLayers: true,
    decodeRefresh: true,
    unequalTokens: true,
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

export type Share = 'private' | 'group' | 'public' | 'all';

export interface HitRateOptions {
  readonly traces: readonly string[];
  readonly policies: readonly PolicyName[];
  readonly share: Share;
  readonly fallbacks: boolean;
  readonly tokenizer: Tokenizer;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

interface Totals {
  exactTokens: number;
  importedTokens: number;
  recomputedTokens: number;
  hitRate: number;
}

export interface TraceReport {
  readonly trace: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly policies: Record<string, Totals>;
  readonly byRelation: Record<string, Record<string, number>>;
  readonly reasons: Record<string, Record<string, number>>;
  readonly crossTenantImports: number;
  readonly unequalTokenImports: number;
  /** Null until there is a vector match to measure. */
  readonly recallAt5: number | null;
  readonly lookupMs: { readonly p50: number; readonly p99: number };
}

export interface HitRateReport {
  readonly suite: 'hit-rate';
  readonly share: Share;
  readonly fallbacks: boolean;
  readonly speeds: SpeedTable;
  readonly traces: readonly TraceReport[];
}

/** Tokens that did not have to be computed / prompt tokens, collected by key. */
class HitCounter {
  readonly #saved = new Map<string, number>();
  readonly #total = new Map<string, number>();

  add(key: string, saved: number, total: number): void {
    this.#saved.set(key, (this.#saved.get(key) ?? 0) + saved);
    this.#total.set(key, (this.#total.get(key) ?? 0) + total);
  }

  rates(): Record<string, number> {
    const entries = [...this.#total].map(([key, total]) => {
      return [key, total === 0 ? 0 : this.#saved.get(key)! / total] as const;
    });
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

class Replay {
  readonly totals: Totals = { exactTokens: 0, importedTokens: 0, recomputedTokens: 0, hitRate: 0 };
  readonly relations = new HitCounter();
  readonly reasons: Record<string, number> = {};
  readonly lookupMs: number[] = [];
  crossTenant = 0;
  unequal = 0;
  readonly #options: HitRateOptions;
  readonly #policy: PolicyName;
  readonly #index = new DonorIndex();
  readonly #tenants = new Map<string, string>();

  constructor(options: HitRateOptions, policy: PolicyName) {
    this.#options = options;
    this.#policy = policy;
  }

  serve(request: TraceRequest, prompt: EncodedPrompt, at: number): void {
    const { share } = this.#options;
    const scope = tenantScope(share === 'private' ? request.tenant : 'everybody', null);
    const owner = `${request.tenant}/${request.user}`;
    const decision = this.#plan(prompt, scope, owner, at);
    this.#count(request, prompt, decision);
    const segment = `replay.${at}`;
    this.#tenants.set(segment, request.tenant);
    this.#index.add({
      segment,
      scope,
      owner,
      tokens: prompt.tokens,
      exactTokens: firstApproximate(decision.plan, prompt.tokens.length),
      promptTokens: prompt.tokens.length,
      storedAt: request.t_ms,
    });
  }

  #plan(prompt: EncodedPrompt, scope: string, owner: string, at: number): PlanDecision {
    const options = {
      ...optionsOf(this.#policy),
      fallbacks: this.#options.fallbacks,
    };
    const start = performance.now();
    const decision = planReuse({
      planId: `plan-${at}`,
      target: prompt.tokens,
      suffixStart: prompt.suffixStart,
      tokenClasses: this.#options.tokenizer.tokenClasses,
      candidates: this.#index.candidates({ scope, owner, target: prompt.tokens }, options.minRun),
      options,
      runner: replayRunner,
      readText: (tokens, start, end) => this.#options.tokenizer.decode(tokens.subarray(start, end)),
    });
    this.lookupMs.push(performance.now() - start);
    return decision;
  }

  #count(request: TraceRequest, { tokens }: EncodedPrompt, decision: PlanDecision): void {
    const { totals } = this;
    totals.exactTokens += decision.exactTokens;
    totals.importedTokens += decision.importedTokens;
    totals.recomputedTokens += decision.recomputedTokens;
    const saved = tokens.length - decision.recomputedTokens;
    this.relations.add(request.relation, saved, tokens.length);
    this.reasons[decision.reason] = (this.reasons[decision.reason] ?? 0) + 1;
    for (const entry of decision.plan?.imports ?? []) {
      const donor = this.#index.get(entry.segment)!;
      if (this.#tenants.get(entry.segment) !== request.tenant) this.crossTenant += entry.length;
      this.unequal += unequalTokens(entry, donor, tokens);
    }
  }
}

function unequalTokens(
  entry: { donorStart: number; targetStart: number; length: number },
  donor: Donor,
  target: Int32Array,
): number {
  let unequal = 0;
  for (let i = 0; i < entry.length; i++) {
    if (donor.tokens[entry.donorStart + i] !== target[entry.targetStart + i]) unequal++;
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

async function replayTrace(path: string, options: HitRateOptions): Promise<TraceReport> {
  const requests = await readTrace(path);
  const prompts = requests.map(({ messages }) => options.tokenizer.encodeChat(messages));
  const promptTokens = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const replays = options.policies.map((policy) => {
    const replay = new Replay(options, policy);
    requests.forEach((request, at) => replay.serve(request, prompts[at]!, at));
    replay.totals.hitRate = (promptTokens - replay.totals.recomputedTokens) / promptTokens;
    return [policy, replay] as const;
  });
  const byRelation: Record<string, Record<string, number>> = {};
  for (const [policy, { relations }] of replays) {
    for (const [relation, rate] of Object.entries(relations.rates())) {
      (byRelation[relation] ??= {})[policy] = rate;
    }
  }
  const lookups = replays.flatMap(([, { lookupMs }]) => lookupMs);
  return {
    trace: basename(path, '.jsonl'),
    requests: requests.length,
    promptTokens,
    policies: Object.fromEntries(replays.map(([policy, { totals }]) => [policy, totals])),
    byRelation,
    reasons: Object.fromEntries(replays.map(([policy, { reasons }]) => [policy, reasons])),
    crossTenantImports: replays.reduce((sum, [, { crossTenant }]) => sum + crossTenant, 0),
    unequalTokenImports: replays.reduce((sum, [, { unequal }]) => sum + unequal, 0),
    recallAt5: null,
    lookupMs: { p50: percentile(lookups, 0.5), p99: percentile(lookups, 0.99) },
  };
}

export async function runHitRate(options: HitRateOptions): Promise<HitRateReport> {
  const traces: TraceReport[] = [];
  for (const [at, path] of options.traces.entries()) {
    options.onProgress(at, options.traces.length, basename(path));
    traces.push(await replayTrace(path, options));
  }
  const { share, fallbacks } = options;
  return { suite: 'hit-rate', share, fallbacks, speeds: fixedSpeeds, traces };
}
