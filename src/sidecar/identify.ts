// Who is asking, and so with whom a request shares: from the API key and nothing else, unless an app that mounts
// KVShare knows better. Keys are compared as hashes, in constant time; a missing key is a private scope of its own, an
// unknown one is refused.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { KvShareError } from '../errors.ts';
import { anonymousScope, tenantScope } from '../match/index.ts';
import { headerOf } from './message.ts';

export interface Tenant {
  readonly name: string;
  readonly keys: readonly string[];
}

/** Who asks, as somebody has made sure of: keys here, sessions in an app that mounts KVShare. */
export interface Principal {
  readonly tenant: string;
  /** The API key, where there is one: routes can match it. */
  readonly key: string | null;
  /** Within the tenant; null when there is no user to continue a conversation; absent = whom the body names. */
  readonly user?: string | null;
}

/**
 * By the head of the request: its body has not been read. Null = nobody that is known: private, shares with no one.
 * May throw `invalid_api_key`.
 */
export type Identify = (request: IncomingMessage) => Principal | null | Promise<Principal | null>;

export interface Identity {
  readonly scope: string;
  /** Name and key of the tenant; null without one. */
  readonly tenant: string | null;
  readonly key: string | null;
  readonly user: string | null;
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

/** By API key: whoever has a tenant's speaks for all of its users. */
export function byKey(keys: KeyRing): Identify {
  return (request) => {
    const authorization = headerOf(request, 'authorization');
    if (authorization === undefined) return null;
    const [scheme, key] = authorization.split(' ', 2);
    const tenant = scheme?.toLowerCase() === 'bearer' && key ? keys.tenantOf(key) : null;
    if (!key || tenant === null)
      throw new KvShareError('invalid_api_key', 'This API key is not known here.');
    return { tenant, key };
  };
}

/** `salt` only narrows: requests of one tenant with different salts share nothing. */
export function identityOf(
  principal: Principal | null,
  request: {
    readonly id: string;
    readonly salt: string | null;
    /** Named by the body, which is no proof of anything. */
    readonly user: string | null;
  },
): Identity {
  if (principal === null) {
    const scope = anonymousScope(request.id);
    return { scope, tenant: null, key: null, user: null, owner: null, anonymous: true };
  }
  const { tenant, key, user = request.user } = principal;
  const scope = tenantScope(tenant, request.salt);
  const owner = user === null ? null : tenantScope(tenant, `user:${user}`);
  return { scope, tenant, key, user, owner, anonymous: false };
}
