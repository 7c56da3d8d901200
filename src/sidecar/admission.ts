// A bounded number of requests inside; the next one is told to come back instead of waiting unseen. Nobody gets in before
// it is known who asks, so that no tenant can take the places of all the others, not for a moment either. When the door
// is closed nobody new gets in, and whoever is inside finishes.
import { KvShareError } from '../errors.ts';

export interface Place {
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

  /**
   * `tenant`: whose request it is, null = nobody's. Throws `shutting_down`, or `queue_full` when no places are left, or
   * only those that are kept for others.
   */
  enter(tenant: string | null): Place {
    this.checkRoom();
    const giveBack = this.#take(tenant);
    this.#inside++;
    return {
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
