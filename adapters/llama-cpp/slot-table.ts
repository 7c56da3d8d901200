// The server's slots: what each one holds, and whose turn it is. A slot is used by one request at a time; who finds all
// of them busy waits in the order of arrival.
import { KvShareError } from '../../src/errors.ts';

export interface Slot {
  readonly id: number;
  /** Name of the context that it holds; null = nothing that anybody may use. */
  segment: string | null;
  /** Order of use. */
  usedAt: number;
}

export class SlotTable {
  readonly #idle: Set<Slot>;
  readonly #waiting: ((slot: Slot) => void)[] = [];
  readonly #all: readonly Slot[];
  #clock = 0;

  constructor(count: number) {
    this.#all = Array.from({ length: count }, (_, id) => ({ id, segment: null, usedAt: 0 }));
    this.#idle = new Set(this.#all);
  }

  get all(): readonly Slot[] {
    return this.#all;
  }

  get running(): number {
    return this.#all.length - this.#idle.size;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The one of the idle slots that `choose` wants, or the first that becomes idle. Throws `request_cancelled`. */
  async take(choose: (idle: readonly Slot[]) => Slot, signal: AbortSignal): Promise<Slot> {
    if (this.#idle.size === 0) return this.#wait(signal);
    const slot = choose([...this.#idle].sort((a, b) => a.usedAt - b.usedAt));
    this.#idle.delete(slot);
    return slot;
  }

  release(slot: Slot): void {
    slot.usedAt = ++this.#clock;
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#idle.add(slot);
  }

  #wait(signal: AbortSignal): Promise<Slot> {
    const cancelled = new KvShareError('request_cancelled', 'Cancelled.');
    if (signal.aborted) return Promise.reject(cancelled);
    return new Promise((resolve, reject) => {
      const turn = (slot: Slot): void => {
        signal.removeEventListener('abort', leave);
        resolve(slot);
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(cancelled);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(turn);
    });
  }
}
