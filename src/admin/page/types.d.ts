// What the admin API answers, as far as the page reads it; described in full by /admin/openapi.json.
export interface Times {
  readonly count: number;
  readonly p50: number | null;
  readonly p95: number | null;
}

export interface Stats {
  readonly requests: { readonly total: number };
  readonly requestsPerSecond: number;
  readonly hitRate: { readonly total: number | null; readonly lastMinute: number | null };
  readonly promptTokens: { readonly total: number };
  readonly savedTokens: number;
  readonly ttftMs: { readonly reuse: Times; readonly cold: Times };
  readonly routes: readonly {
    readonly route: string;
    readonly requests: number;
    readonly hitRate: number | null;
  }[];
  readonly guard: readonly {
    readonly route: string;
    readonly state: string;
    /** By rung. */
    readonly tenants: Readonly<Record<string, number>>;
    readonly samples: number;
    readonly top1: number | null;
    readonly kl: number | null;
  }[];
  readonly memory: readonly {
    readonly tier: string;
    readonly bytes: number;
    readonly maxBytes: number;
  }[];
  readonly donors: number;
  readonly inFlight: number;
  readonly runner: { readonly model: string; readonly backend: string } | null;
}

export interface Served {
  readonly request: string;
  readonly route: string;
  readonly outcome: string;
  readonly reason: string;
  readonly policy: string;
  readonly promptTokens: number;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly ttftMs: number | null;
}

export interface Snapshot {
  readonly stats: Stats;
  readonly newest: readonly Served[];
}

export interface Span {
  readonly start: number;
  readonly end: number;
  readonly mark: 'exact' | 'imported' | 'recomputed';
  readonly reason: string | null;
  readonly segment: string | null;
  readonly texts: readonly string[] | null;
}

export interface Compared {
  readonly donor: string;
  readonly tokens: number;
  readonly similarity: number | null;
  readonly overlap: number;
  readonly gate: string;
  readonly isThere: boolean;
  readonly used: readonly {
    readonly donorStart: number;
    readonly targetStart: number;
    readonly length: number;
  }[];
  readonly texts: readonly string[] | null;
}

export interface Inspection extends Served {
  readonly text: 'shown' | 'not-enabled' | 'needs-tenant-key' | 'gone';
  readonly spans: readonly Span[];
  readonly compared: readonly Compared[];
}
