// The best k of a search so far. k is small, so a sorted list beats a heap. Most of what is offered is soon displaced:
// numbers in place make no garbage. Scans go from the newest to the oldest, so one that ties with the last is refused
// without moving anything.

export interface Neighbour {
  readonly label: number;
  /** Cosine, -1 … 1. */
  readonly similarity: number;
}

export class TopNeighbours {
  /** [k], best first. */
  readonly #labels: Uint32Array;
  readonly #similarities: Float64Array;
  #length = 0;

  constructor(k: number) {
    this.#labels = new Uint32Array(k);
    this.#similarities = new Float64Array(k);
  }

  /** What a similarity must reach to have a chance; most do not. */
  get threshold(): number {
    const k = this.#similarities.length;
    return this.#length < k ? -Infinity : this.#similarities[k - 1]!;
  }

  /** The same label may be offered again: it counts once. */
  offer(label: number, similarity: number): void {
    let at = this.#length;
    while (at > 0 && this.#isBehind(at - 1, label, similarity)) at--;
    if (at >= this.#labels.length) return;
    if (this.#has(label)) return;
    const end = Math.min(this.#length, this.#labels.length - 1);
    this.#labels.copyWithin(at + 1, at, end);
    this.#similarities.copyWithin(at + 1, at, end);
    this.#labels[at] = label;
    this.#similarities[at] = similarity;
    this.#length = end + 1;
  }

  /** Best first, of equal ones the newest; only labels that `isLive` knows. */
  list(isLive: (label: number) => boolean): Neighbour[] {
    const best: Neighbour[] = [];
    for (let i = 0; i < this.#length; i++) {
      const label = this.#labels[i]!;
      if (isLive(label)) best.push({ label, similarity: this.#similarities[i]! });
    }
    return best;
  }

  #has(label: number): boolean {
    for (let i = 0; i < this.#length; i++) if (this.#labels[i] === label) return true;
    return false;
  }

  #isBehind(at: number, label: number, similarity: number): boolean {
    const other = this.#similarities[at]!;
    return other < similarity || (other === similarity && this.#labels[at]! < label);
  }
}
