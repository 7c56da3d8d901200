// Who may share with whom: the scope string, derived from the authenticated principal only.
// CONTRACT STUB: helper D replaces the bodies.

/** Scope of a tenant; a client's salt can only narrow it. Length-framed SHA-256. */
export function tenantScope(_tenant: string, _salt: string | null): string {
  throw new Error('stub');
}

/** A scope of its own for a request without identity: nobody else ever gets it. */
export function anonymousScope(_requestId: string): string {
  throw new Error('stub');
}
