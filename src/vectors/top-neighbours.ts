// The best k of a search so far. k is small, so a sorted list beats a heap.

export interface Neighbour {
  readonly label: number;
  /** Cosine, -1 … 1. */
  readonly similarity: number;
}

export class TopNeighbours {
  readonly #best: Neighbour[] = [];
  readonly #k: number;
  #threshold = -Infinity;

  constructor(k: number) {
    this.#k = k;
  }

  /** What a similarity must reach to have a chance; most do not. */
  get threshold(): number {
    return this.#threshold;
  }

  /** The same label may be offered again: it counts once. */
  offer(label: number, similarity: number): void {
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
