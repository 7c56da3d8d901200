// Pages that must stay where they are while somebody is about to use them. Every pin ends by itself: a request that
// is forgotten cannot hold memory for ever.
import type { KvPage } from './kv-page.ts';

interface Pin {
  readonly pages: readonly KvPage[];
  readonly until: number;
}

export class Pins {
  readonly #now: () => number;
  readonly #pins = new Set<Pin>();
  readonly #counts = new Map<KvPage, number>();

  /** Monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns what ends it before its time. */
  hold(pages: readonly KvPage[], ms: number): () => void {
    const pin = { pages, until: this.#now() + ms };
    this.#pins.add(pin);
    for (const page of pages) this.#counts.set(page, (this.#counts.get(page) ?? 0) + 1);
    return () => this.#drop(pin);
  }

  has(page: KvPage): boolean {
    return this.#counts.has(page);
  }

  /** Before room is made: what has expired holds nothing any more. */
  expire(): void {
    const now = this.#now();
    for (const pin of this.#pins) if (pin.until <= now) this.#drop(pin);
  }

  #drop(pin: Pin): void {
    if (!this.#pins.delete(pin)) return;
    for (const page of pin.pages) {
      const left = this.#counts.get(page)! - 1;
      if (left === 0) this.#counts.delete(page);
      else this.#counts.set(page, left);
    }
  }
}
