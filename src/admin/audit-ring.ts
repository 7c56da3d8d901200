// Which donors served which answer: the newest requests, without their text.
import type { ServedRequest } from '../sidecar/index.ts';

const MOST_REMEMBERED = 10_000;

export interface AuditEntry {
  readonly request: string;
  /** ISO 8601. */
  readonly at: string;
  readonly route: string;
  readonly tenant: string | null;
  readonly outcome: string;
  readonly reason: string;
  readonly policy: string;
  readonly promptTokens: number;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly ttftMs: number | null;
  readonly isWhole: boolean;
  /** What the runner did less than it was told. */
  readonly degraded: string | null;
  readonly donors: readonly { readonly donor: string; readonly tokens: number }[];
  /** What was kept of the request, as a donor for later ones. */
  readonly stored: string | null;
}

function donorsOf({ plan }: ServedRequest): AuditEntry['donors'] {
  const tokens = new Map<string, number>();
  for (const { segment, length } of plan?.imports ?? []) {
    tokens.set(segment, (tokens.get(segment) ?? 0) + length);
  }
  return [...tokens].map(([donor, sum]) => ({ donor, tokens: sum }));
}

export function auditEntryOf(served: ServedRequest): AuditEntry {
  const { provenance, id, at, route, tenant, promptTokens, ttftMs, isWhole, stored } = served;
  const { outcome, reason, policy, receipt } = provenance;
  return {
    request: id,
    at: new Date(at).toISOString(),
    ...{ route, tenant, outcome, reason, policy, promptTokens },
    exactTokens: receipt.exactTokens,
    importedTokens: receipt.importedTokens,
    recomputedTokens: receipt.recomputedTokens,
    ...{ ttftMs, isWhole },
    degraded: receipt.degraded,
    donors: donorsOf(served),
    stored,
  };
}

export interface AuditQuery {
  readonly request?: string;
  /** Served by it, or stored as it. */
  readonly donor?: string;
  readonly tenant?: string;
  readonly limit?: number;
}

export class AuditRing {
  /** Oldest first. */
  readonly #entries: AuditEntry[] = [];

  add(entry: AuditEntry): void {
    this.#entries.push(entry);
    // Cutting now and then costs less than shifting always.
    if (this.#entries.length > 2 * MOST_REMEMBERED) {
      this.#entries.splice(0, this.#entries.length - MOST_REMEMBERED);
    }
  }

  /** Newest first. */
  find({ request, donor, tenant, limit = 100 }: AuditQuery): AuditEntry[] {
    const found: AuditEntry[] = [];
    for (let at = this.#entries.length - 1; at >= 0 && found.length < limit; at--) {
      const entry = this.#entries[at]!;
      const isMeant =
        (request === undefined || entry.request === request) &&
        (tenant === undefined || entry.tenant === tenant) &&
        (donor === undefined ||
          entry.stored === donor ||
          entry.donors.some((one) => one.donor === donor));
      if (isMeant) found.push(entry);
    }
    return found;
  }
}
