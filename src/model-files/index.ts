// Gets the model file onto this machine. Knows nothing of its content.
export { resolveModel } from './resolve-model.ts';
export type { ResolvedModel } from './resolve-model.ts';
