// Text → vectors. Knows nothing of tokens, donors or plans.
export type { Embedder } from './embedder.ts';
export { wordLlamaEmbedder } from './word-llama.ts';
export { modelRowsEmbedder } from './model-rows.ts';
export { openAiEmbedder } from './openai-embedder.ts';
export { miniLmEmbedder } from './mini-lm/mini-lm.ts';
export { serveEmbeddings } from './serve-embeddings.ts';
