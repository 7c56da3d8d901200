// The forward pass as one TensorFlow graph, for backends that can run one.
export { GraphTransformer } from './graph-transformer.ts';
