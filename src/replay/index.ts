// Requests planned again, by other settings, without running anything.
export { Replay, replayRunner } from './replay.ts';
export type { Replayed } from './replay.ts';
export { whatIf } from './what-if.ts';
export type { Variant, VariantReport } from './what-if.ts';
