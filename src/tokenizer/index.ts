// Text ⇄ token ids, with the model file's own vocabulary and chat template. Knows nothing of KV.
export { TokenClass } from './token-classes.ts';
export { loadTokenizer } from './tokenizer.ts';
export type { ChatMessage, Tokenizer } from './tokenizer.ts';
export type { EncodedPrompt } from './prompt-encoder.ts';
export type { StreamDecoder } from './stream-decoder.ts';
