// Who may watch on the tenants' port. Metrics and the details of readiness tell of everybody's requests: how many, how
// long, what was reused. So they need a key of their own; without tenants there is nobody to keep them from.
import { KvShareError } from '../errors.ts';
import type { KeyRing, Tenant } from './identify.ts';
import { OperatorKey } from './operator-key.ts';

export class Monitoring {
  readonly #key: OperatorKey | null;
  readonly #isOpen: boolean;

  constructor(key: string | null, tenants: readonly Tenant[], keys: KeyRing) {
    const tenantOf = (given: string): string | null => keys.tenantOf(given);
    this.#key = key === null ? null : new OperatorKey(key, 'the metrics', tenantOf);
    this.#isOpen = key === null && tenants.length === 0;
  }

  /** Throws `forbidden` or `invalid_api_key`. */
  check(authorization: string | undefined): void {
    if (this.#isOpen) return;
    if (this.#key) this.#key.check(authorization);
    else throw new KvShareError('forbidden', 'Metrics need a key: set KVSHARE_METRICS_KEY.');
  }

  allows(authorization: string | undefined): boolean {
    try {
      this.check(authorization);
      return true;
    } catch {
      return false;
    }
  }
}
