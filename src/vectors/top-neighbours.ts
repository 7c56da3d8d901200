// The best k of a search so far. k is small, so a sorted list beats a heap.

export interface Neighbour {
  readonly label: number;
  /** Cosine, -1 … 1. */
  readonly similarity: number;
}

export class TopNeighbours {
  readonly #best: Neighbour[] = [];
  readonly #k: number;
  /** What a vector must reach to be looked at; most do not. */
  #threshold = -Infinity;

  constructor(k: number) {
    this.#k = k;
  }

  get size(): number {
    return this.#best.length;
  }

  /** The same label may be offered again: it counts once. */
  offer(label: number, similarity: number): void {
    if (similarity < this.#threshold) return;
    const best = this.#best;
    let at = best.length;
    while (at > 0 && isBehind(best[at - 1]!, label, similarity)) at--;
    if (best.some((other) => other.label === label)) return;
    if (at >= this.#k) return;
    best.splice(at, 0, { label, similarity });
    if (best.length > this.#k) best.pop();
    if (best.length === this.#k) this.#threshold = best[this.#k - 1]!.similarity;
  }

  /** Best first, ties by label; only labels that `isLive` knows. */
  list(isLive: (label: number) => boolean): Neighbour[] {
    return this.#best.filter(({ label }) => isLive(label));
  }
}

const isBehind = (other: Neighbour, label: number, similarity: number): boolean =>
  other.similarity < similarity || (other.similarity === similarity && other.label > label);
