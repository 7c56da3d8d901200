// Who may share with whom: the scope, derived from the authenticated principal and nothing else. Every
// part is length-framed, so ("org_1", "2345") and ("org_12345", "") are different scopes.
import { createHash } from 'node:crypto';

function scopeOf(tag: string, parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of [tag, ...parts]) hash.update(`${Buffer.byteLength(part)}:${part};`);
  return hash.digest('hex');
}

/** Scope of a tenant; a client's salt can only narrow it. */
export const tenantScope = (tenant: string, salt: string | null): string =>
  scopeOf('tenant', salt === null ? [tenant] : [tenant, salt]);

/** A scope of its own for a request without identity: nobody else ever gets it. */
export const anonymousScope = (requestId: string): string => scopeOf('anonymous', [requestId]);
