// What the runner has stored, told to every index: equal tokens at once, meaning as soon as it is embedded.
import type { Donor } from '../kv/index.ts';
import type { DonorIndex } from '../match/index.ts';
import type { SimilarPrompts } from '../similar/index.ts';
import type { Ledger } from './ledger.ts';
import type { DonorKeeper } from './runner-link.ts';

export class KnownDonors implements DonorKeeper {
  readonly #index: DonorIndex;
  readonly #similar: SimilarPrompts | null;
  readonly #ledger: Ledger;

  constructor(index: DonorIndex, similar: SimilarPrompts | null, ledger: Ledger) {
    this.#index = index;
    this.#ledger = ledger;
    this.#similar = similar;
  }

  /** A segment that is announced again (with more tokens) replaces the earlier donor. */
  add(announced: Donor): void {
    this.#forget(announced.segment);
    const donor = { ...announced, ...this.#ledger.recordOf(announced.segment)?.made };
    this.#index.add(donor);
    this.#ledger.appear(donor);
    this.#similar?.add(donor);
  }

  remove(segment: string): void {
    this.#forget(segment);
    this.#index.remove(segment);
    this.#ledger.disappear(segment);
  }

  clear(): void {
    this.#index.clear();
    this.#similar?.clear();
    this.#ledger.suspend();
  }

  #forget(segment: string): void {
    const known = this.#index.get(segment);
    if (known) this.#similar?.remove(known);
  }
}
