// What a sidecar needs of a model that somebody else runs: its name, its tokenizer, and what compares prompts.
export { modelIdOf } from './model-id.ts';
export { openEmbedder } from './open-embedder.ts';
export type { EmbedderSettings, OpenEmbedderOptions } from './open-embedder.ts';
export { openTokenizer } from './open-tokenizer.ts';
