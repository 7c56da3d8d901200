// Which threshold would have served this traffic best? Recorded requests under each variant of the settings: hit
// rate, tokens saved and the predicted time to the first token, so that operators choose from their own traffic.
import type { RecordedRequest } from '../recording/index.ts';
import type { ReuseOptions } from '../reuse/index.ts';
import { openSimilar, textReader, type Meaning, type TokenReader } from './open-similar.ts';
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

/** Of a recording with plain ids: what its prompts say. */
export interface Texts {
  readonly tokenizer: TokenReader;
  /** Null = without vectors. */
  readonly meaning: Meaning | null;
}

/** Whether a variant asks what prompts mean, which hashed ids do not tell. */
export const needsTexts = ({ reuse: { policy, minSimilarity } }: Variant): boolean =>
  policy === 'semantic' || minSimilarity > 0;

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

/** What the planner is told of the prompts, with their texts and without. */
function readAs(recorded: readonly RecordedRequest[], texts: Texts | null) {
  if (!texts) return { ...compactIds(recorded), readText: unreadable, meaning: null };
  const { tokenizer, meaning } = texts;
  return {
    requests: recorded.map((request) => ({ ...request, at: request.t_ms })),
    tokenClasses: tokenizer.tokenClasses,
    readText: textReader(tokenizer),
    meaning: meaning && { ...meaning, tokenizer },
  };
}

/** `texts`: null where token ids are hashed. */
export async function whatIf(
  recorded: readonly RecordedRequest[],
  variants: readonly Variant[],
  texts: Texts | null,
): Promise<VariantReport[]> {
  const { requests, meaning, ...known } = readAs(recorded, texts);
  const promptTokens = requests.reduce((total, { tokens }) => total + tokens.length, 0);
  const reports: VariantReport[] = [];
  for (const variant of variants) {
    const { name, reuse } = variant;
    const similar = meaning && needsTexts(variant) ? openSimilar(meaning, meaning.tokenizer) : null;
    const replay = new Replay({ reuse, shared: false, runner: replayRunner, similar, ...known });
    const served: Replayed[] = [];
    for (const request of requests) served.push(await replay.serve(request));
    await similar?.close();
    reports.push(report(name, promptTokens, served));
  }
  return reports;
}
