// Label → slot. Labels only grow, so pages of consecutive labels need 4 bytes a label, no rehashing (which
// would stop everything at half a million entries), and vanish when their last label does.

/** Labels a page; a page that one survivor keeps alive costs 1 KB. */
const PAGE = 256;
const NONE = -1;

interface Page {
  readonly slots: Int32Array;
  live: number;
}

export class LabelSlots {
  readonly #pages = new Map<number, Page>();

  get bytes(): number {
    return this.#pages.size * (4 * PAGE + 100);
  }

  get(label: number): number | undefined {
    const slot = this.#pages.get(Math.floor(label / PAGE))?.slots[label % PAGE];
    return slot === NONE ? undefined : slot;
  }

  set(label: number, slot: number): void {
    const number = Math.floor(label / PAGE);
    let page = this.#pages.get(number);
    if (!page)
      this.#pages.set(number, (page = { slots: new Int32Array(PAGE).fill(NONE), live: 0 }));
    if (page.slots[label % PAGE] === NONE) page.live++;
    page.slots[label % PAGE] = slot;
  }

  delete(label: number): void {
    const number = Math.floor(label / PAGE);
    const page = this.#pages.get(number);
    if (!page || (page.slots[label % PAGE] ?? NONE) === NONE) return;
    page.slots[label % PAGE] = NONE;
    page.live--;
    if (page.live === 0) this.#pages.delete(number);
  }

  /**
   * Up to `limit` labels of [from, end), ascending, and where to go on. Looks at a bounded number of pages:
   * none may be found although there are some further on.
   */
  take(from: number, end: number, limit: number): { labels: number[]; next: number } {
    const labels: number[] = [];
    let label = from;
    for (let pages = 0; label < end && labels.length < limit && pages < 4_096; pages++) {
      const page = this.#pages.get(Math.floor(label / PAGE));
      const pageEnd = Math.min(end, (Math.floor(label / PAGE) + 1) * PAGE);
      if (!page) {
        label = pageEnd;
        continue;
      }
      for (; label < pageEnd && labels.length < limit; label++) {
        if (page.slots[label % PAGE] !== NONE) labels.push(label);
      }
    }
    return { labels, next: label };
  }
}
