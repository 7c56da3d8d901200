// Long computations on the main thread in small steps: all of them together get a few milliseconds between two
// turns of the event loop, however many there are.

/** What all jobs together may take before the event loop has its turn. */
const TURN_MS = 4;

interface Job {
  /** A step of about 0.1 ms; true when there is nothing left to do. */
  readonly step: () => boolean;
  readonly resolve: () => void;
}

export class Turns {
  readonly #jobs: Job[] = [];
  /** This turn's time is used up, or a next turn is on its way. */
  #waiting = false;

  /** Begins at once when nobody else had this turn. `step` must not throw. */
  run(step: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#jobs.push({ step, resolve });
      if (!this.#waiting) this.#turn();
    });
  }

  #turn(): void {
    const end = performance.now() + TURN_MS;
    // Step by step in turn: a small scope does not wait until a large one is through.
    while (this.#jobs.length > 0 && performance.now() < end) {
      const job = this.#jobs.shift()!;
      if (job.step()) job.resolve();
      else this.#jobs.push(job);
    }
    this.#waiting = true;
    setImmediate(() => {
      this.#waiting = false;
      if (this.#jobs.length > 0) this.#turn();
    });
  }
}
