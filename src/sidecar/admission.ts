// A bounded number of requests inside; the next one is told to come back instead of waiting unseen. No tenant can take
// the places of all the others. When the door is closed nobody new gets in, and whoever is inside finishes.
import { KvShareError } from '../errors.ts';

export interface Place {
  /**
   * Whose request it is, once that is known (null = nobody's). Once a place; throws `queue_full` when only the places
   * that are kept for others are left.
   */
  readonly claim: (tenant: string | null) => void;
  /** Once, when the request is over. */
  readonly leave: () => void;
}

/** One place in so many is kept for tenants other than the one that has all the rest. */
const KEPT_FOR_OTHERS = 8;

export class Admission {
  readonly #limit: number;
  readonly #largestShare: number;
  readonly #byTenant = new Map<string | null, number>();
  readonly #waiters: (() => void)[] = [];
  #inside = 0;
  /** Told whenever somebody has left. */
  onLeave: () => void = () => undefined;
  #isClosed = false;

  constructor(limit: number) {
    this.#limit = limit;
    this.#largestShare = limit > 1 ? limit - Math.ceil(limit / KEPT_FOR_OTHERS) : limit;
  }

  get inside(): number {
    return this.#inside;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Throws `shutting_down` or `queue_full`. */
  enter(): Place {
    this.checkRoom();
    this.#inside++;
    let giveBack = (): void => undefined;
    return {
      claim: (tenant) => (giveBack = this.#take(tenant)),
      leave: () => {
        giveBack();
        this.#inside--;
        this.onLeave();
        if (this.#inside === 0) for (const resolve of this.#waiters.splice(0)) resolve();
      },
    };
  }

  /** Throws `shutting_down` once the door is closed. */
  checkOpen(): void {
    if (!this.#isClosed) return;
    throw new KvShareError('shutting_down', 'This server is shutting down; ask another one.');
  }

  /** Throws `shutting_down` or `queue_full`: whoever could not get in now need not send more. */
  checkRoom(): void {
    this.checkOpen();
    if (this.#inside < this.#limit) return;
    throw new KvShareError('queue_full', `${this.#limit} requests are being served; try later.`);
  }

  /** From now on nobody gets in. */
  close(): void {
    this.#isClosed = true;
  }

  /** Resolves when nobody is inside. */
  async empty(): Promise<void> {
    if (this.#inside > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #take(tenant: string | null): () => void {
    const held = this.#byTenant.get(tenant) ?? 0;
    if (held >= this.#largestShare) {
      const reason = `This tenant's ${held} requests are being served; try later.`;
      throw new KvShareError('queue_full', reason);
    }
    this.#byTenant.set(tenant, held + 1);
    return () => {
      const left = this.#byTenant.get(tenant)! - 1;
      if (left > 0) this.#byTenant.set(tenant, left);
      else this.#byTenant.delete(tenant);
    };
  }
}
