// Builds the native TensorFlow backend where no prebuilt one can be had. Knows nothing of models.
export { buildNative, findNative } from './build-native.ts';
