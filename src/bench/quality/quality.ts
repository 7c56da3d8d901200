// `bench quality`: answers under each policy against full prefill, case by case, with the real planner and engine in
// this process.
import { checkBounds, type BoundCheck } from './bounds.ts';
import type { CaseContext, CaseMeasure, PolicyVariant } from './measure-case.ts';
import { measureCase } from './measure-case.ts';
import { compare, paretoPoints, type Comparison, type ParetoPoint } from './pareto.ts';
import { PartialResults, type Subject } from '../partial-results.ts';
import type { QualityCase } from './quality-case.ts';
import { summarise, type Summary } from './summarise.ts';

export interface QualityOptions extends CaseContext {
  readonly cases: readonly QualityCase[];
  readonly policies: readonly PolicyVariant[];
  readonly model: string;
  /** Where measures are kept while the suite runs; null = nowhere. */
  readonly partialPath: string | null;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface PolicyReport {
  readonly families: Readonly<Record<string, Summary>>;
  /** All families together. */
  readonly overall: Summary;
  readonly cases: readonly CaseMeasure[];
  /** What is asked of the default policy, and whether it holds here. */
  readonly bounds: readonly BoundCheck[];
}

export interface QualityReport {
  readonly suite: 'quality';
  readonly model: string;
  readonly policies: Readonly<Record<string, PolicyReport>>;
  readonly pareto: readonly ParetoPoint[];
  /** Every policy against the first that reuses, paired by case. */
  readonly comparisons: readonly Comparison[];
}

function reportPolicy(cases: readonly CaseMeasure[]): PolicyReport {
  const families = new Map<string, CaseMeasure[]>();
  for (const measure of cases) {
    families.set(measure.family, [...(families.get(measure.family) ?? []), measure]);
  }
  const summaries = [...families].map(([name, own]) => [name, summarise(own)] as const);
  const byFamily = Object.fromEntries(summaries);
  const bounds = checkBounds(byFamily);
  return { families: byFamily, overall: summarise(cases), cases, bounds };
}

export function reportQuality(
  model: string,
  policies: readonly string[],
  measures: readonly CaseMeasure[],
): QualityReport {
  const byPolicy = policies.map((name) => measures.filter(({ policy }) => policy === name));
  const reports = byPolicy.map(reportPolicy);
  const base =
    byPolicy[
      Math.max(
        0,
        reports.findIndex(({ overall }) => overall.n > 0),
      )
    ]!;
  return {
    suite: 'quality',
    model,
    policies: Object.fromEntries(policies.map((name, i) => [name, reports[i]!])),
    pareto: paretoPoints(
      reports.map(({ overall: { everyCase } }, i) => ({
        policy: policies[i]!,
        chargedRecompute: everyCase.chargedRecompute!,
        kl32: everyCase.kl32!,
      })),
    ),
    comparisons: byPolicy
      .filter((own) => own !== base)
      .map((own) => compare(own, base))
      .filter((comparison) => comparison !== null),
  };
}

const subjectOf = (one: QualityCase, { name, options }: PolicyVariant): Subject => [
  one,
  name,
  options,
];

export async function runQuality(options: QualityOptions): Promise<QualityReport> {
  const { cases, policies, model, prober, meaning, partialPath, onProgress } = options;
  const fingerprint = `${prober.fingerprint} ${meaning?.embedder.fingerprint ?? 'no vectors'}`;
  const partial = await PartialResults.open<CaseMeasure>(partialPath, fingerprint);
  for (const [at, one] of cases.entries()) {
    onProgress(at, cases.length, one.id);
    const missing = policies.filter((policy) => !partial.get(subjectOf(one, policy)));
    if (missing.length === 0) continue;
    const measures = await measureCase(one, missing, options);
    await partial.add(missing.map((policy, i) => [subjectOf(one, policy), measures[i]!]));
  }
  const measures = policies.flatMap((policy) =>
    cases.map((one) => partial.get(subjectOf(one, policy))!),
  );
  const names = policies.map(({ name }) => name);
  const report = reportQuality(model, names, measures);
  await partial.remove();
  return report;
}
