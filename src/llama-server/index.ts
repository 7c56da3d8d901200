// llama.cpp's server: built into the cache, and started. Knows nothing of models and of what is asked of it.
export { buildLlamaServer, findLlamaServer } from './build-llama-server.ts';
export { peerHeaders, startLlamaServer } from './start-llama-server.ts';
export type { LlamaProcess } from './start-llama-server.ts';
