// TEMPORARY stand-in until the room arrives.
export interface Neighbour {
  readonly label: number;
  readonly similarity: number;
}
export class VectorIndex {
  readonly #v = new Map<number, Float32Array>();
  #next = 0;
  get size(): number {
    return this.#v.size;
  }
  get bytes(): number {
    return this.#v.size * 512;
  }
  add(v: Float32Array): number {
    this.#v.set(this.#next, v);
    return this.#next++;
  }
  remove(l: number): boolean {
    return this.#v.delete(l);
  }
  vectorOf(l: number): Float32Array | null {
    return this.#v.get(l) ?? null;
  }
  search(q: Float32Array, k: number, _budgetMs?: number): Promise<readonly Neighbour[]> {
    const all = [...this.#v].map(([label, v]) => {
      let s = 0;
      for (let i = 0; i < v.length; i++) s += v[i]! * q[i]!;
      return { label, similarity: s };
    });
    return Promise.resolve(
      all.sort((a, b) => b.similarity - a.similarity || a.label - b.label).slice(0, k),
    );
  }
  close(): void {
    this.#v.clear();
  }
}
export class VectorIndexes {
  readonly dimension: number;
  constructor({ dimension }: { dimension: number; onChildLost?: (why: string) => void }) {
    this.dimension = dimension;
  }
  open(): VectorIndex {
    return new VectorIndex();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
