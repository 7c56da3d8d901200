// Who is asking: from the API key and nothing else. Keys are compared as hashes, in constant time; a
// missing key is a private scope of its own, an unknown one is refused.
import { createHash, timingSafeEqual } from 'node:crypto';
import { KvShareError } from '../errors.ts';
import { anonymousScope, tenantScope } from '../match/index.ts';

export interface Tenant {
  readonly name: string;
  readonly keys: readonly string[];
}

export interface Identity {
  readonly scope: string;
  /** Name and key of the tenant; null without one. */
  readonly tenant: string | null;
  readonly key: string | null;
  /** Tenant and user; null when there is no user to continue a conversation. */
  readonly owner: string | null;
  /** Nobody could ever find KV stored for an anonymous request again. */
  readonly anonymous: boolean;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class KeyRing {
  readonly #entries: readonly { readonly key: Buffer; readonly tenant: string }[];

  constructor(tenants: readonly Tenant[]) {
    this.#entries = tenants.flatMap(({ name, keys }) =>
      keys.map((key) => ({ key: digest(key), tenant: name })),
    );
  }

  /** Looks at every key, so that time does not tell which one was close. */
  tenantOf(key: string): string | null {
    const given = digest(key);
    let found: string | null = null;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.key, given)) found = entry.tenant;
    }
    return found;
  }
}

/** Throws `invalid_api_key` for a key that nobody has. */
export function identify(
  keys: KeyRing,
  authorization: string | undefined,
  request: { readonly id: string; readonly user: string | null; readonly salt: string | null },
): Identity {
  if (authorization === undefined) {
    const scope = anonymousScope(request.id);
    return { scope, tenant: null, key: null, owner: null, anonymous: true };
  }
  const [scheme, key] = authorization.split(' ', 2);
  const tenant = scheme?.toLowerCase() === 'bearer' && key ? keys.tenantOf(key) : null;
  if (!key || tenant === null)
    throw new KvShareError('invalid_api_key', 'This API key is not known here.');
  return {
    scope: tenantScope(tenant, request.salt),
    tenant,
    key,
    owner: request.user === null ? null : tenantScope(tenant, `user:${request.user}`),
    anonymous: false,
  };
}
