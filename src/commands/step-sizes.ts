// How many prompt tokens a step takes where nobody has said.
import type { Settings } from '../config.ts';
import type { Backend } from '../runner/backend/index.ts';

// Measured on 2 cores, 800 tokens: 400 takes 1.12 s, 256 1.2 s, 800 (no steps) 1.2 s.
const SHORT = { alone: 400, shared: 256 };
// On an H100 a step of 1 token takes as long as one of 800: what it costs is asking for its ops.
const LONG = { alone: 1024, shared: 1024 };

/** `shared` steps are what a running answer stalls for while another prompt is read: 0.4 s on 2 cores. Smaller ones read slower. */
export function stepSizes(
  { stepTokens, sharedStepTokens }: Pick<Settings, 'stepTokens' | 'sharedStepTokens'>,
  { likesLongSteps = false }: Pick<Backend, 'likesLongSteps'>,
): { readonly chunkTokens: number; readonly sharedChunkTokens: number } {
  const { alone, shared } = likesLongSteps ? LONG : SHORT;
  return { chunkTokens: stepTokens ?? alone, sharedChunkTokens: sharedStepTokens ?? shared };
}
