// Who may share with whom: the scope, derived from the authenticated principal and nothing else. Every
// part is length-framed, so ("org_1", "2345") and ("org_12345", "") are different scopes.
import { hash } from 'node:crypto';

const scopeOf = (tag: string, parts: readonly string[]): string =>
  hash('sha256', [tag, ...parts].map((part) => `${Buffer.byteLength(part)}:${part};`).join(''));

/** Scope of a tenant; a client's salt can only narrow it. */
export const tenantScope = (tenant: string, salt: string | null): string =>
  scopeOf('tenant', salt === null ? [tenant] : [tenant, salt]);

/** A scope of its own for a request without identity: nobody else ever gets it. */
export const anonymousScope = (requestId: string): string => scopeOf('anonymous', [requestId]);
