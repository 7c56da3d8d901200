// Milliseconds until the first token, by the runner's measured speeds.
import type { SpeedTable } from '../protocol/index.ts';

export function predictMs(speeds: SpeedTable, freshTokens: number, importedTokens: number): number {
  const prefill = speeds.prefillFixedMs + speeds.prefillMsPerToken * freshTokens;
  if (importedTokens === 0) return prefill;
  return prefill + speeds.importFixedMs + speeds.importMsPerToken * importedTokens;
}
