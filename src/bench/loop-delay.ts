// How long the event loop was held while something ran: a timer that should come every millisecond tells.
import { setImmediate as nextTurn } from 'node:timers/promises';

export class LoopDelay {
  /** Longest pause of each measured stretch, milliseconds. */
  readonly delays: number[] = [];
  #running = false;
  #longest = 0;

  async start(): Promise<void> {
    this.#running = true;
    this.#longest = 0;
    let last = performance.now();
    const tick = (): void => {
      const now = performance.now();
      this.#longest = Math.max(this.#longest, now - last);
      last = now;
      if (this.#running) setImmediate(tick);
    };
    setImmediate(tick);
    await nextTurn();
  }

  stop(): void {
    this.#running = false;
    this.delays.push(this.#longest);
  }
}
