// Gets the model file onto this machine. Knows nothing of its content.
export { pinnedModel } from './pinned-model.ts';
export { resolveModel } from './resolve-model.ts';
export type { ResolvedModel } from './resolve-model.ts';
