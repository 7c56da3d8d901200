// Requests planned again, by other settings, without running anything.
export { Replay, replayRunner } from './replay.ts';
export type { Replayed } from './replay.ts';
export { openSimilar, textReader } from './open-similar.ts';
export type { Meaning } from './open-similar.ts';
export { needsTexts, whatIf } from './what-if.ts';
export type { Texts, Variant, VariantReport } from './what-if.ts';
