// Nearest neighbours by cosine, one index a scope. Knows nothing of texts, prompts or donors.
export {
  DEFAULT_BRUTE_FORCE_LIMIT,
  VectorIndexes,
  type VectorIndexesOptions,
} from './vector-indexes.ts';
export type { VectorIndex } from './scope-index.ts';
export type { Neighbour } from './top-neighbours.ts';
export { VectorCache, type VectorCacheOptions } from './vector-cache.ts';
