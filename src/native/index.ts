// Gets the backends that do not come with npm install: builds TensorFlow's, fetches WebGPU's. Knows nothing of models.
export { buildNative, findNative } from './build-native.ts';
export { fetchWebgpu, findWebgpu } from './fetch-webgpu.ts';
