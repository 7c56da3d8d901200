// The readable form of a hit-rate report.
import type { HitRateReport, TraceReport } from './hit-rate.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8);

function ratioToExact(trace: TraceReport, policy: string): string {
  const exact = trace.policies['exact']?.hitRate;
  const rate = trace.policies[policy]?.hitRate;
  return exact && rate !== undefined ? `${(rate / exact).toFixed(2)}x`.padStart(7) : '      -';
}

function overall(traces: readonly TraceReport[], policy: string): number {
  const tokens = traces.reduce((sum, t) => sum + t.promptTokens, 0);
  const fresh = traces.reduce((sum, t) => sum + (t.policies[policy]?.recomputedTokens ?? 0), 0);
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
          ratioToExact(trace, policy).padStart(9),
          `${trace.lookupMs.p99.toFixed(2)} ms`.padStart(12),
          `${trace.unequalTokenImports}`.padStart(8),
          `${trace.crossTenantImports}`.padStart(13),
        ].join(' '),
      );
    }
  }
  const policies = Object.keys(traces[0]?.policies ?? {});
  if (traces.length > 1) {
    const exact = overall(traces, 'exact');
    for (const policy of policies) {
      const rate = overall(traces, policy);
      lines.push(
        `all together   ${policy.padEnd(14)} ${percent(rate)} ${`${(rate / exact).toFixed(2)}x`.padStart(9)}`,
      );
    }
  }
  return lines.join('\n');
}
