// Builds llama.cpp's server, which `bench peers` measures against. Knows nothing of models and of what is measured.
export { buildLlamaServer, findLlamaServer } from './build-llama-server.ts';
