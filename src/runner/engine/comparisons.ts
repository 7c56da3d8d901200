// Comparisons that wait for their turn: one at a time, a step at a time, whenever the engine offers one.
import type { Comparison } from '../../protocol/index.ts';
import type { Comparing } from './compare.ts';
import { advance } from './work.ts';

interface Job {
  readonly running: Comparing;
  readonly signal: AbortSignal;
  readonly resolve: (result: Comparison | null) => void;
  readonly reject: (error: unknown) => void;
}

export class Comparisons {
  readonly #jobs: Job[] = [];

  get size(): number {
    return this.#jobs.length;
  }

  add(running: Comparing, signal: AbortSignal): Promise<Comparison | null> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ running, signal, resolve, reject });
    });
  }

  async step(): Promise<void> {
    const job = this.#jobs[0];
    if (!job) return;
    if (job.signal.aborted) {
      // Runs its `finally`: what it holds is given back.
      job.running.return(null);
      this.#end(() => job.resolve(null));
      return;
    }
    try {
      const state = await advance(job.running);
      if (state.done) this.#end(() => job.resolve(state.value));
    } catch (error) {
      this.#end(() => job.reject(error));
    }
  }

  clear(): void {
    for (const { running, resolve } of this.#jobs.splice(0)) {
      running.return(null);
      resolve(null);
    }
  }

  #end(settle: () => void): void {
    this.#jobs.shift();
    settle();
  }
}
