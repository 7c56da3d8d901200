// The forward pass as one TensorFlow graph that our TypeScript writes.
export { GraphTransformer } from './graph-transformer.ts';
export { runsFunctions } from './load-function.ts';
export type { GraphForm } from './load-signatures.ts';
