// Who may use the admin port: the holder of the admin key. Keys are compared as hashes, in constant time; a tenant's
// key is told from an unknown one, so that whoever mixes them up learns it.
import { createHash, timingSafeEqual } from 'node:crypto';
import { KvShareError } from '../errors.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class AdminKey {
  readonly #key: Buffer;
  readonly #tenantOf: (key: string) => string | null;

  constructor(key: string, tenantOf: (key: string) => string | null) {
    this.#key = digest(key);
    this.#tenantOf = tenantOf;
  }

  /** Throws `invalid_api_key` or `forbidden`. */
  check(authorization: string | undefined): void {
    const [scheme, key = ''] = (authorization ?? '').split(' ', 2);
    // Both, always: time does not tell which list a key was close to.
    const isAdmin = timingSafeEqual(this.#key, digest(key));
    const tenant = this.#tenantOf(key);
    if (isAdmin && scheme?.toLowerCase() === 'bearer') return;
    if (tenant !== null) {
      throw new KvShareError('forbidden', 'A tenant’s key does not open the admin port.');
    }
    throw new KvShareError('invalid_api_key', 'The admin port needs its own key.');
  }
}
