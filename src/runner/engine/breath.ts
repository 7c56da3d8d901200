// What happens between two steps, each of which holds the event loop: tokens leave, aborts arrive, and KV moves between
// tiers. A page on its way takes hundreds of turns of the loop; with one turn a step it would not arrive while anybody
// computes. So as long as something moves, it gets a share of the time that steps take.
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Of the time of the last step: a request waits for what comes up; what goes down has to keep up with what is computed. */
const SHARE = { up: 0.5, down: 0.2, late: 1 } as const;

/** Behind a pause there was no step. */
const LONGEST_STEP_MS = 500;

export class Breath {
  readonly #moving: () => keyof typeof SHARE | null;
  #last = performance.now();

  constructor(moving: () => keyof typeof SHARE | null) {
    this.#moving = moving;
  }

  /** Behind each step. */
  async take(): Promise<void> {
    const start = performance.now();
    const stepMs = Math.min(start - this.#last, LONGEST_STEP_MS);
    for (;;) {
      await nextTurn();
      const way = this.#moving();
      if (!way || performance.now() - start >= SHARE[way] * stepMs) break;
    }
    this.#last = performance.now();
  }
}
