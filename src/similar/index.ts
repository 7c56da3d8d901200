// Which stored prompts resemble a new one. Knows vectors and tokens; nothing of plans or HTTP.
export type { CalibrationState } from './calibration.ts';
export { SimilarPrompts } from './similar-prompts.ts';
export type { SimilarPromptsOptions } from './similar-prompts.ts';
export { findCandidates } from './find-candidates.ts';
