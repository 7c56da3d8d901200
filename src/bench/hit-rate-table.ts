// The readable form of a hit-rate report.
import type { HitRateReport, TraceReport } from './hit-rate.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8);

/** There is nothing to compare with when the exact policy was not replayed, or found nothing. */
const ratio = (rate: number, exact: number | undefined): string =>
  (exact ? `${(rate / exact).toFixed(2)}x` : '-').padStart(9);

function overall(traces: readonly TraceReport[], policy: string): number {
  const tokens = traces.reduce((sum, t) => sum + t.promptTokens, 0);
  const fresh = traces.reduce((sum, t) => sum + t.policies[policy]!.recomputedTokens, 0);
  return (tokens - fresh) / tokens;
}

export function formatHitRate(report: HitRateReport): string {
  const { traces } = report;
  const lines = [
    `share ${report.share}, fallbacks ${report.fallbacks ? 'on' : 'off'}; hit rate = tokens not computed / prompt tokens`,
    'trace          policy          hit rate  vs exact   lookup p99  unequal  cross-tenant',
  ];
  for (const trace of traces) {
    for (const [policy, { hitRate }] of Object.entries(trace.policies)) {
      lines.push(
        [
          trace.trace.padEnd(14),
          policy.padEnd(14),
          percent(hitRate),
          ratio(hitRate, trace.policies['exact']?.hitRate),
          `${trace.lookupMs.p99.toFixed(2)} ms`.padStart(12),
          `${trace.unequalTokenImports}`.padStart(8),
          `${trace.crossTenantImports}`.padStart(13),
        ].join(' '),
      );
    }
  }
  const policies = Object.keys(traces[0]?.policies ?? {});
  if (traces.length > 1) {
    const exact = policies.includes('exact') ? overall(traces, 'exact') : undefined;
    for (const policy of policies) {
      const rate = overall(traces, policy);
      lines.push(`all together   ${policy.padEnd(14)} ${percent(rate)} ${ratio(rate, exact)}`);
    }
  }
  return lines.join('\n');
}
