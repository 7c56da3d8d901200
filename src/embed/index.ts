// Text → vectors. Knows nothing of tokens, donors or plans.
export type { Embedder } from './embedder.ts';
export { wordLlamaEmbedder } from './word-llama.ts';
