// What finds donors, put together: equal tokens always, meaning where there is an embedder.
import type { Embedder } from '../embed/index.ts';
import type { DonorIndex } from '../match/index.ts';
import { SimilarPrompts } from '../similar/index.ts';
import type { Log, SidecarMetrics } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { VectorIndexes } from '../vectors/index.ts';
import type { PlanFinder } from './context.ts';

export interface FinderOptions {
  readonly tokenizer: Tokenizer;
  readonly embedder?: Embedder;
  readonly log: Log;
  readonly newId: () => string;
}

const textReader =
  (tokenizer: Tokenizer): PlanFinder['readText'] =>
  (tokens, start, end) =>
    tokenizer.decode(tokens.subarray(start, end));

/** Null without an embedder; the embedder is closed with the rest. */
export function openSimilar(
  { embedder, tokenizer, log }: FinderOptions,
  metrics: SidecarMetrics,
): { readonly similar: SimilarPrompts; readonly close: () => Promise<void> } | null {
  if (!embedder) return null;
  const vectors = new VectorIndexes({
    dimension: embedder.dimension,
    onChildLost: (why) => log.warn({ why }, 'the vector index goes on without its helper process'),
  });
  const similar = new SimilarPrompts({
    embedder,
    vectors,
    tokenClasses: tokenizer.tokenClasses,
    readText: textReader(tokenizer),
    onFailure: (error) => {
      metrics.failOpen.inc({ stage: 'embed' });
      log.warn({ name: (error as Error).name }, 'going on without the vector match');
    },
  });
  const close = async (): Promise<void> => {
    await similar.close();
    await vectors.close();
    await embedder.close();
  };
  return { similar, close };
}

export function createFinder(
  { tokenizer, log, newId }: FinderOptions,
  index: DonorIndex,
  similar: SimilarPrompts | null,
  metrics: SidecarMetrics,
): PlanFinder {
  return {
    index,
    similar,
    tokenClasses: tokenizer.tokenClasses,
    readText: textReader(tokenizer),
    newId,
    onFailure: (error) => {
      metrics.failOpen.inc({ stage: 'plan' });
      log.error({ name: (error as Error).name }, 'planning failed, serving cold');
    },
  };
}
