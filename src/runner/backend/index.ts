// Which TensorFlow.js runs here. The only room that loads @tensorflow packages; everybody else gets `tf`.
export { backendRequests, gpuSubstitutes } from './backend-options.ts';
export type { BackendRequest, GpuSubstitute, Tf } from './backend-options.ts';
export { multipliesBf16 } from './cpu-features.ts';
export { loadBackend } from './load-backend.ts';
export type { Backend, BackendName } from './load-backend.ts';
export { timeBareProducts } from './bare-products.ts';
export type { ModelSizes } from './bare-products.ts';
