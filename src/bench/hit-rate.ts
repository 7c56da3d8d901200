// `bench hit-rate`: the planner alone over request traces, every policy in a replay of its own, with an
// unlimited store and a fixed speed table. Donors as in production: only exactly computed tokens serve
// others; a conversation may go on from its own KV.
import { basename } from 'node:path';
import type { PolicyName, SpeedTable } from '../protocol/index.ts';
import {
  openSimilar,
  Replay,
  replayRunner,
  textReader,
  type Meaning,
  type Replayed,
} from '../replay/index.ts';
import { optionsOf } from '../reuse/index.ts';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/index.ts';
import { percentile } from './statistics.ts';
import { readTrace, type TraceRequest } from './trace-file.ts';
import { measureVectorMatch, type VectorMatchReport } from './vector-match.ts';

export type Share = 'private' | 'group' | 'public' | 'all';

export interface HitRateOptions {
  readonly traces: readonly string[];
  readonly policies: readonly PolicyName[];
  readonly share: Share;
  readonly fallbacks: boolean;
  readonly tokenizer: Tokenizer;
  /** Null = without vectors. */
  readonly meaning: Meaning | null;
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
  /** Share of the requests with donors of which the vector match alone finds one; null without vectors. */
  readonly recallAt5: number | null;
  /** The vector match by itself; null without vectors. */
  readonly vectorMatch: VectorMatchReport | null;
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

/** What one policy did with a trace. */
class Tally {
  readonly totals: Totals = { exactTokens: 0, importedTokens: 0, recomputedTokens: 0, hitRate: 0 };
  readonly relations = new HitCounter();
  readonly reasons: Record<string, number> = {};
  readonly lookupMs: number[] = [];
  crossTenant = 0;
  unequal = 0;

  add(relation: string, numTokens: number, { decision, ...replayed }: Replayed): void {
    const { totals } = this;
    totals.exactTokens += decision.exactTokens;
    totals.importedTokens += decision.importedTokens;
    totals.recomputedTokens += decision.recomputedTokens;
    this.relations.add(relation, numTokens - decision.recomputedTokens, numTokens);
    this.reasons[decision.reason] = (this.reasons[decision.reason] ?? 0) + 1;
    this.lookupMs.push(replayed.lookupMs);
    this.crossTenant += replayed.crossTenant;
    this.unequal += replayed.unequal;
  }
}

async function replayPolicy(
  policy: PolicyName,
  requests: readonly (TraceRequest & EncodedPrompt)[],
  options: HitRateOptions,
): Promise<Tally> {
  const { share, fallbacks, tokenizer, meaning } = options;
  const looksUp = policy !== 'off' && policy !== 'exact';
  const similar = meaning && looksUp ? openSimilar(meaning, tokenizer) : null;
  const replay = new Replay({
    reuse: { ...optionsOf(policy), fallbacks },
    shared: share !== 'private',
    runner: replayRunner,
    tokenClasses: tokenizer.tokenClasses,
    readText: textReader(tokenizer),
    similar,
  });
  const tally = new Tally();
  let promptTokens = 0;
  for (const request of requests) {
    const numTokens = request.tokens.length;
    promptTokens += numTokens;
    const replayed = await replay.serve({ ...request, at: request.t_ms });
    tally.add(request.relation, numTokens, replayed);
  }
  await similar?.close();
  tally.totals.hitRate = (promptTokens - tally.totals.recomputedTokens) / promptTokens;
  return tally;
}

async function replayTrace(path: string, options: HitRateOptions): Promise<TraceReport> {
  const requests = (await readTrace(path)).map((request) => ({
    ...request,
    ...options.tokenizer.encodeChat(request.messages),
  }));
  const promptTokens = requests.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const replays: [PolicyName, Tally][] = [];
  for (const policy of options.policies) {
    replays.push([policy, await replayPolicy(policy, requests, options)]);
  }
  const byRelation: Record<string, Record<string, number>> = {};
  for (const [policy, { relations }] of replays) {
    for (const [relation, rate] of Object.entries(relations.rates())) {
      (byRelation[relation] ??= {})[policy] = rate;
    }
  }
  const { meaning, tokenizer, share } = options;
  const vectorMatch =
    meaning && (await measureVectorMatch(requests, meaning, tokenizer, share !== 'private'));
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
    recallAt5: vectorMatch?.recallAt5 ?? null,
    vectorMatch,
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
  return { suite: 'hit-rate', share, fallbacks, speeds: replayRunner.speeds, traces };
}
