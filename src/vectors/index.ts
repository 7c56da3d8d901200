// Nearest neighbours by cosine, one index a scope. Knows nothing of texts, prompts or donors.
export { VectorIndexes } from './vector-indexes.ts';
export type { VectorIndex } from './scope-index.ts';
export { VectorCache } from './cache/vector-cache.ts';
