// Who is let in: the next one of the queue, when there is a place and room for its KV. What is kept makes room; those
// who are being served do not. So a request may have to wait for them, with all behind it, and after a while is told
// to come again.
import type { Scheduler } from '../schedulers.ts';
import { WaitingQueue, type Job } from '../schedule/waiting-queue.ts';
import type { KvStore } from '../store/kv-store.ts';
import type { Sequence } from './sequence.ts';

export interface AdmissionOptions {
  readonly scheduler: Scheduler;
  readonly store: KvStore;
  readonly maxRunning: number;
  /** Longest wait of a request that there is no room for. */
  readonly memoryWaitMs: number;
}

const jobOf = ({ request, workLeft }: Sequence): Job => ({
  scope: request.scope,
  work: workLeft,
  tokens: request.tokens.length,
});

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queue: WaitingQueue<Sequence>;
  /** It has had its turn, and there was no room. */
  #first: Sequence | null = null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#queue = new WaitingQueue(options.scheduler);
  }

  /** Not let in yet. */
  get size(): number {
    return this.#queue.size + (this.#first ? 1 : 0);
  }

  /** `begun`: whose prompt is being computed. */
  add(sequence: Sequence, begun: Sequence | undefined): void {
    this.#queue.add(sequence, jobOf(sequence), begun ? jobOf(begun) : null);
  }

  /** It does not want to be served any more. */
  remove(sequence: Sequence): void {
    if (this.#first === sequence) this.#first = null;
    else this.#queue.remove(sequence);
  }

  /** Undefined = nobody, for now. Its KV is on its way from here on. */
  next(running: number): Sequence | undefined {
    if (running >= this.#options.maxRunning) return undefined;
    for (;;) {
      const sequence = this.#first ?? this.#queue.next();
      this.#first = null;
      if (!sequence || this.#letIn(sequence)) return sequence;
      if (performance.now() - sequence.submittedAt < this.#options.memoryWaitMs) {
        this.#first = sequence;
        return undefined;
      }
      sequence.fail('memory_short');
    }
  }

  /** What it wants to import stays while room is made, unless there is none otherwise. */
  #letIn(sequence: Sequence): boolean {
    const { store } = this.#options;
    if (!sequence.isLetIn(store)) return false;
    sequence.hasKv(store);
    if (!sequence.hasRoom()) sequence.bringing?.release();
    if (!sequence.hasRoom()) return false;
    sequence.phase = 'fetch';
    return true;
  }
}
