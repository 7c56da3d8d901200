// Which threshold would have served this traffic best? Recorded requests under each variant of the settings: hit
// rate, tokens saved and the predicted time to the first token, so that operators choose from their own traffic.
import type { RecordedRequest } from '../recording/index.ts';
import type { ReuseOptions } from '../reuse/index.ts';
import { Replay, replayRunner, type Replayed } from './replay.ts';

export interface Variant {
  readonly name: string;
  readonly reuse: ReuseOptions;
}

export interface VariantReport {
  readonly variant: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly hitRate: number;
  /** Mean over the requests, by the published speed table. */
  readonly predictedTtftMs: number;
  readonly coldTtftMs: number;
  /** Requests by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Ids of a recording are large hashes: small ones, in order of appearance, with a table of their flags. */
export function compactIds(requests: readonly RecordedRequest[]) {
  const ids = new Map<number, number>();
  const classes: number[] = [];
  const compact = requests.map((request) => ({
    ...request,
    at: request.t_ms,
    tokens: request.tokens.map((id, i) => {
      let small = ids.get(id);
      if (small === undefined) {
        small = ids.size;
        ids.set(id, small);
        classes[small] = request.classes[i]!;
      }
      return small;
    }),
  }));
  return { requests: compact, tokenClasses: Uint8Array.from(classes) };
}

function report(name: string, promptTokens: number, all: readonly Replayed[]): VariantReport {
  const sum = (pick: (replayed: Replayed) => number): number =>
    all.reduce((total, one) => total + pick(one), 0);
  const reasons: Record<string, number> = {};
  for (const { decision } of all) {
    reasons[decision.reason] = (reasons[decision.reason] ?? 0) + 1;
  }
  const recomputedTokens = sum(({ decision }) => decision.recomputedTokens);
  return {
    variant: name,
    requests: all.length,
    promptTokens,
    exactTokens: sum(({ decision }) => decision.exactTokens),
    importedTokens: sum(({ decision }) => decision.importedTokens),
    recomputedTokens,
    hitRate: (promptTokens - recomputedTokens) / promptTokens,
    predictedTtftMs: sum(({ decision }) => decision.predictedMs) / all.length,
    coldTtftMs: sum(({ decision }) => decision.coldMs) / all.length,
    reasons,
  };
}

/** Hashed tokens have no words: strict mode cannot judge edits and takes each for critical. */
const unreadable = (_tokens: Int32Array, start: number, end: number): string => `${start} ${end}`;

export async function whatIf(
  recorded: readonly RecordedRequest[],
  variants: readonly Variant[],
): Promise<VariantReport[]> {
  const { requests, tokenClasses } = compactIds(recorded);
  const promptTokens = requests.reduce((total, { tokens }) => total + tokens.length, 0);
  const reports: VariantReport[] = [];
  for (const { name, reuse } of variants) {
    const replay = new Replay({
      reuse,
      shared: false,
      runner: replayRunner,
      tokenClasses,
      readText: unreadable,
      similar: null,
    });
    const served: Replayed[] = [];
    for (const request of requests) served.push(await replay.serve(request));
    reports.push(report(name, promptTokens, served));
  }
  return reports;
}
