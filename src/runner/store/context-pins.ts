// Contexts that an operator wants kept. A pin holds the context's pages, also those that it grows by; it ends by
// itself, and all pins together leave room for everybody else.
import { KvShareError } from '../../errors.ts';
import type { KvPage } from './kv-page.ts';
import type { Pins } from './pins.ts';

interface HeldContext {
  readonly pages: readonly KvPage[];
  readonly until: number;
  readonly release: () => void;
}

export interface PinLimits {
  /** Of live tensors. */
  readonly maxBytes: number;
  /** Of them one scope may have this share, 0..1. */
  readonly scopeShare: number;
  /** Of them this is for requests that are being served. */
  readonly promisedBytes: () => number;
}

/** Of what a store, or one scope in it, may have. */
const MOST_PINNED = 0.5;

export const bytesOf = (pages: Iterable<KvPage>): number =>
  [...pages].reduce((sum, { bytes }) => sum + bytes, 0);

export class ContextPins {
  readonly #pins: Pins;
  readonly #now: () => number;
  readonly #limits: PinLimits;
  readonly #held = new Map<string, HeldContext>();

  /** `now`: monotonic milliseconds, as for the pins. */
  constructor(pins: Pins, now: () => number, limits: PinLimits) {
    this.#pins = pins;
    this.#now = now;
    this.#limits = limits;
  }

  /** Contexts whose pin has not ended. */
  segments(): string[] {
    const now = this.#now();
    for (const [segment, { until }] of this.#held) if (until <= now) this.release(segment);
    return [...this.#held.keys()];
  }

  /** Of all pages that are pinned. */
  get bytes(): number {
    return bytesOf(this.#pinnedPages());
  }

  /** Throws `pin_refused` when these would be too many, beside those that are pinned. */
  checkRoom(more: readonly KvPage[]): void {
    const pages = new Set([...this.#pinnedPages(), ...more]);
    const { maxBytes, scopeShare, promisedBytes } = this.#limits;
    const most = maxBytes * MOST_PINNED;
    const scopes = new Set(more.map(({ scope }) => scope));
    const isTooMuch =
      bytesOf(pages) > Math.min(most, maxBytes - promisedBytes()) ||
      [...scopes].some(
        (scope) => bytesOf([...pages].filter((page) => page.scope === scope)) > most * scopeShare,
      );
    if (!isTooMuch) return;
    throw new KvShareError('pin_refused', 'Pins may hold at most half of the KV that is kept.');
  }

  hold(segment: string, pages: readonly KvPage[], ms: number): void {
    this.release(segment);
    const until = this.#now() + ms;
    this.#held.set(segment, { pages, until, release: this.#pins.hold(pages, ms) });
  }

  /** The context shows other pages now. */
  follow(segment: string, pages: readonly KvPage[]): void {
    const leftMs = this.leftMs(segment);
    if (leftMs !== null) this.hold(segment, pages, leftMs);
  }

  /** False when it was not pinned. */
  release(segment: string): boolean {
    this.#held.get(segment)?.release();
    return this.#held.delete(segment);
  }

  leftMs(segment: string): number | null {
    const held = this.#held.get(segment);
    const leftMs = held ? held.until - this.#now() : 0;
    return leftMs > 0 ? leftMs : null;
  }

  #pinnedPages(): Set<KvPage> {
    return new Set(this.segments().flatMap((segment) => this.#held.get(segment)!.pages));
  }
}
