// Which TensorFlow.js runs here. The only room that loads @tensorflow packages; everybody else gets `tf`.
export { backendRequests, loadBackend } from './load-backend.ts';
export type { Backend, BackendName, BackendRequest, Tf } from './load-backend.ts';
