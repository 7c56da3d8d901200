// Who may use what is an operator's: the holder of its key. Keys are compared as hashes, in constant time; a tenant's
// key is told from an unknown one, so that whoever mixes them up learns it.
import { createHash, timingSafeEqual } from 'node:crypto';
import { KvShareError } from '../errors.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class OperatorKey {
  readonly #key: Buffer;
  readonly #opens: string;
  readonly #tenantOf: (key: string) => string | null;

  /** `opens`: what it opens, for messages. */
  constructor(key: string, opens: string, tenantOf: (key: string) => string | null) {
    this.#key = digest(key);
    this.#opens = opens;
    this.#tenantOf = tenantOf;
  }

  /** Throws `invalid_api_key` or `forbidden`. */
  check(authorization: string | undefined): void {
    const [scheme, key = ''] = (authorization ?? '').split(' ', 2);
    // Both, always: time does not tell which list a key was close to.
    const isOperator = timingSafeEqual(this.#key, digest(key));
    const tenant = this.#tenantOf(key);
    if (isOperator && scheme?.toLowerCase() === 'bearer') return;
    if (tenant !== null) {
      throw new KvShareError('forbidden', `A tenant’s key does not open ${this.#opens}.`);
    }
    throw new KvShareError('invalid_api_key', `A key of its own opens ${this.#opens}.`);
  }
}
