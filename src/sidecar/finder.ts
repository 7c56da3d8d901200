// What finds donors, put together: equal tokens always, meaning where there is an embedder.
import type { Embedder } from '../embed/index.ts';
import type { DonorIndex } from '../match/index.ts';
import { SimilarPrompts } from '../similar/index.ts';
import type { Log, SidecarMetrics } from '../telemetry/index.ts';
import type { Tokenizer } from '../tokenizer/index.ts';
import { VectorCache, VectorIndexes } from '../vectors/index.ts';
import type { PlanFinder } from './context.ts';

export interface FinderOptions {
  readonly tokenizer: Tokenizer;
  readonly embedder?: Embedder;
  /** Of the embedder's dimension; without it, an index with the usual limits. Closed with the sidecar. */
  readonly vectors?: VectorIndexes;
  /** File that keeps vectors over a restart: of use when the embedder is slow. */
  readonly vectorFile?: string;
  readonly log: Log;
  readonly newId: () => string;
}

const textReader =
  (tokenizer: Tokenizer): PlanFinder['readText'] =>
  (tokens, start, end) =>
    tokenizer.decode(tokens.subarray(start, end));

const SAVE_MS = 60_000;
/** 128 floats a vector: 50 MB. */
const MAX_KEPT = 100_000;

const openCache = (path: string, { fingerprint, dimension }: Embedder, log: Log): VectorCache =>
  VectorCache.open(path, {
    fingerprint,
    dimension,
    maxEntries: MAX_KEPT,
    onProblem: (why) => log.warn({ why }, 'the file of vectors is not used'),
  });

const openVectors = ({ dimension }: Embedder, log: Log): VectorIndexes =>
  new VectorIndexes({
    dimension,
    onChildLost: (why) => log.warn({ why }, 'the vector index goes on without its helper process'),
  });

/** Null without an embedder; the embedder is closed with the rest. */
export function openSimilar(
  { embedder, vectors: given, vectorFile, tokenizer, log }: FinderOptions,
  metrics: SidecarMetrics,
): { readonly similar: SimilarPrompts; readonly close: () => Promise<void> } | null {
  if (!embedder) return null;
  const vectors = given ?? openVectors(embedder, log);
  const cache = vectorFile === undefined ? null : openCache(vectorFile, embedder, log);
  const saving = cache && setInterval(() => void cache.flush(), SAVE_MS).unref();
  const similar = new SimilarPrompts({
    embedder,
    vectors,
    ...(cache && { store: cache }),
    tokenClasses: tokenizer.tokenClasses,
    readText: textReader(tokenizer),
    onFailure: (error) => {
      metrics.failOpen.inc({ stage: 'embed' });
      log.warn({ name: (error as Error).name }, 'going on without the vector match');
    },
  });
  const close = async (): Promise<void> => {
    clearInterval(saving ?? undefined);
    await similar.close();
    await cache?.close();
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
