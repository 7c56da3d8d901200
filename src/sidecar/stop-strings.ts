// Cuts an answer before the first stop string, holding back text that could be the beginning of one, so
// that no part of a stop string is ever sent.

export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Text that may be sent now. */
  push(text: string): string {
    if (this.#stopped) return '';
    this.#held += text;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#stopped = true;
      const sent = this.#held.slice(0, Math.min(...found));
      this.#held = '';
      return sent;
    }
    const keep = this.#suspiciousTail();
    const sent = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(this.#held.length - keep);
    return sent;
  }

  /** What was held back, when no stop string came after all. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return this.#stopped ? '' : rest;
  }

  /** Length of the longest end of the held text that begins a stop string. */
  #suspiciousTail(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length--) {
        if (this.#held.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
