// Names that a store gives to contexts: its generation and a number. A restart makes new names, also for contexts that
// come back from disk: a plan made before it may mean less or more than what was written.
export class SegmentNames {
  readonly #generation: string;
  #issued = 0;

  constructor(generation: string) {
    this.#generation = generation;
  }

  /** The name that `issue` makes valid. */
  get next(): string {
    return `${this.#generation}.${this.#issued}`;
  }

  issue(): string {
    const name = this.next;
    this.#issued++;
    return name;
  }

  /** Whether it was ever given out: known but gone means evicted, never seen means invalid. */
  wasIssued(segment: string): boolean {
    const match = /^([\w-]+)\.(\d+)$/.exec(segment);
    if (!match) return false;
    return match[1] !== this.#generation || Number(match[2]) < this.#issued;
  }

  isOtherGeneration(segment: string): boolean {
    return !segment.startsWith(`${this.#generation}.`);
  }
}
