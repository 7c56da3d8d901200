// KV of requests that are being computed. It stands under the same limit as the live KV that is kept, and what is kept
// makes room for it before it is allocated. What a request may come to is promised when it is let in, so that everybody
// who was let in can finish; what it has so far is what is counted.
import type { PagePool } from './page-pool.ts';

export class LiveLease {
  readonly #leases: LiveLeases;
  /** Promised, beside what is imported. */
  readonly #most: number;
  #imported: number;
  #bytes = 0;
  #isOver = false;

  constructor(leases: LiveLeases, most: number, imported: number) {
    this.#leases = leases;
    this.#most = most;
    this.#imported = imported;
  }

  /** Room for so many tokens in all; false = what is kept cannot leave at the moment. */
  grow(tokens: number): boolean {
    const wanted = Math.min(this.#leases.bytesOf(tokens), this.#most);
    if (wanted <= this.#bytes) return true;
    if (!this.#leases.take(wanted - this.#bytes)) return false;
    this.#bytes = wanted;
    return true;
  }

  /** What it imports has been copied, or will not be. */
  started(): void {
    this.#leases.giveBack(0, this.#imported);
    this.#imported = 0;
  }

  /** Its tensors are gone. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leases.giveBack(this.#bytes, this.#most + this.#imported);
  }
}

export interface LeaseOptions {
  readonly pool: PagePool;
  readonly bytesPerToken: number;
  /** That no request may push out. */
  readonly pinnedBytes: () => number;
}

export class LiveLeases {
  readonly #options: LeaseOptions;
  #promised = 0;
  #bytes = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** What those who were let in may come to. */
  get promisedBytes(): number {
    return this.#promised;
  }

  /** What they have. */
  get bytes(): number {
    return this.#bytes;
  }

  bytesOf(tokens: number): number {
    return tokens * this.#options.bytesPerToken;
  }

  /**
   * For a request that may come to so many tokens, and imports from pages that have to be live together with its own
   * KV. Null = not before others have finished. A request that is alone may find that not all of its import fits.
   */
  open(tokens: number, importedBytes: number): LiveLease | null {
    const { pool, pinnedBytes } = this.#options;
    const most = Math.min(this.bytesOf(tokens), pool.live.maxBytes);
    const imported = this.#promised === 0 ? 0 : importedBytes;
    if (this.#promised + most + imported + pinnedBytes() > pool.live.maxBytes) return null;
    this.#promised += most + importedBytes;
    return new LiveLease(this, most, importedBytes);
  }

  take(bytes: number): boolean {
    const { pool } = this.#options;
    if (!pool.makeRoom(pool.live, bytes, null)) return false;
    pool.live.addExtra(bytes);
    this.#bytes += bytes;
    return true;
  }

  giveBack(bytes: number, promised: number): void {
    this.#promised -= promised;
    this.#bytes -= bytes;
    this.#options.pool.live.addExtra(-bytes);
  }
}
