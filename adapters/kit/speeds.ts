// How fast a server reads prompts, from its answers: what break-even is decided by.
import type { SpeedTable } from '../../src/protocol/index.ts';

/** Weight of a new measurement. */
const NEWEST = 0.2;
/** Shorter prompts say more of overhead than of reading. */
const MIN_TOKENS = 32;
/** What a request costs beside its tokens. */
const FIXED_MS = 10;

export class Speeds {
  #prefillMsPerToken: number | null = null;
  #importMs = 0;

  get table(): SpeedTable {
    return {
      prefillFixedMs: FIXED_MS,
      prefillMsPerToken: this.#prefillMsPerToken ?? 1,
      importFixedMs: this.#importMs,
      importMsPerToken: 0,
    };
  }

  read({ promptTokens, promptMs }: { promptTokens: number; promptMs: number }): void {
    if (promptTokens < MIN_TOKENS) return;
    const measured = promptMs / promptTokens;
    const known = this.#prefillMsPerToken ?? measured;
    this.#prefillMsPerToken = known + NEWEST * (measured - known);
  }

  /** Of a context that was in a slot already: nothing. */
  imported(ms: number): void {
    this.#importMs += NEWEST * (ms - this.#importMs);
  }
}
