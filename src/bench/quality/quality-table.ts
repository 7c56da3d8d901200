// The readable forms of a quality report: a table for the terminal, Markdown for the file beside it.
import { textTable } from '../text-table.ts';
import type { PairedScore, Summary } from './summarise.ts';
import type { PolicyReport, QualityReport } from './quality.ts';

const columns: readonly (readonly [title: string, of: (summary: Summary) => string])[] = [
  ['n', ({ n, total }) => `${n} of ${total}`],
  ['charged', ({ chargedRecompute }) => fixed(chargedRecompute, 2)],
  ['kl1', ({ kl1 }) => fixed(kl1, 4)],
  ['kl32', ({ kl32, intervals }) => `${fixed(kl32, 4)}${range(intervals.kl32, 4)}`],
  ['top1', ({ top1 }) => fixed(top1, 2)],
  ['agree32', ({ agree32 }) => fixed(agree32, 3)],
  ['rougeL', ({ rougeL }) => fixed(rougeL, 2)],
  ['recovery', ({ marginRecovery }) => fixed(marginRecovery, 3)],
  [
    'flip',
    ({ flip, flipFull }) => (flip == null ? '-' : `${fixed(flip, 2)}/${fixed(flipFull, 2)}`),
  ],
  ['reference', ({ referenceLogProb }) => change(referenceLogProb, 3)],
];

const fixed = (value: number | null | undefined, digits: number): string =>
  value == null ? '-' : value.toFixed(digits);

const range = (interval: readonly [number, number] | null, digits: number): string =>
  interval ? ` [${fixed(interval[0], digits)}, ${fixed(interval[1], digits)}]` : '';

const change = (score: PairedScore | undefined, digits: number): string =>
  score ? `${fixed(score.difference, digits)}${range(score.interval, digits)}` : '-';

const rowsOf = (report: QualityReport): [policy: string, family: string, summary: Summary][] =>
  Object.entries(report.policies).flatMap(([policy, { families, overall }]) => [
    [policy, 'all', overall],
    ...Object.entries(families).map(
      ([family, summary]) => [policy, family, summary] as [string, string, Summary],
    ),
  ]);

/** Which bounds a policy keeps to, and which not. */
const boundsLine = ([policy, { bounds }]: [string, PolicyReport]): string => {
  const missed = bounds.filter(({ isMet }) => !isMet);
  const named = missed.map(
    ({ family, measure, value, bound }) => `${family} ${measure} ${fixed(value, 4)} (${bound})`,
  );
  const kept = `${policy}: ${bounds.length - missed.length} of ${bounds.length} bounds met`;
  return missed.length === 0 ? kept : `${kept}; missed: ${named.join(', ')}`;
};

const boundsLines = ({ policies }: QualityReport): string[] =>
  Object.entries(policies)
    .filter(([, { overall }]) => overall.n > 0)
    .map(boundsLine);

/** Policies by families; what never reuses has one row. */
export function formatQuality(report: QualityReport): string {
  const rows = rowsOf(report)
    .filter(([, family, { n }]) => n > 0 || family === 'all')
    .map(([policy, family, summary]) => [policy, family, ...columns.map(([, of]) => of(summary))]);
  const head = ['policy', 'family', ...columns.map(([title]) => title)];
  return [...textTable([head, ...rows]), '', ...boundsLines(report)].join('\n');
}

const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** The papers' claim: references are as likely as under full prefill. */
function verdict({ referenceLogProb }: Summary): string {
  if (!referenceLogProb?.interval) return 'too few cases with a reference';
  const [low, high] = referenceLogProb.interval;
  if (high < 0) return 'does not hold: references are less likely';
  return low > 0 ? 'holds: references are more likely' : 'holds: the interval contains 0';
}

/** With the plot beside it under `plot`. */
export function qualityMarkdown(report: QualityReport, plot: string): string {
  const policies = Object.entries(report.policies);
  const head = columns.map(([title]) => title);
  const families = [...new Set(policies.flatMap(([, own]) => Object.keys(own.families)))];
  const sections = families.map((family) => {
    const rows = policies.map(([policy, own]) => {
      const summary = own.families[family]!;
      return [policy, ...columns.map(([, of]) => of(summary))];
    });
    return `### ${family}\n\n${markdownTable(['policy', ...head], rows)}`;
  });
  return [
    '# Answers under reuse against full prefill',
    `Model: ${report.model}. Means over the cases that import something beyond the exact prefix (n); intervals hold 95 % of 10,000 resamplings of the cases. kl1, kl32: KL(full || policy), nats, of the first token and over the first 32 of full prefill's greedy answer. charged: layer-tokens computed / (layers x prompt tokens). recovery: way from the stale answer to full prefill's. flip: share with the new answer more likely, policy/full. reference: log-probability of the reference, nats per token, policy minus full.`,
    '## All cases',
    markdownTable(
      ['policy', ...head],
      policies.map(([policy, { overall }]) => [policy, ...columns.map(([, of]) => of(overall))]),
    ),
    '## Quality over cost',
    `![KL over charged recompute](${plot})`,
    'Means over every case, those that fell back included. On the front: no other policy here is better in one without being worse in the other.',
    markdownTable(
      ['policy', 'charged', 'kl32', 'on the front'],
      report.pareto.map(({ policy, chargedRecompute, kl32, onFront }) => [
        policy,
        fixed(chargedRecompute, 3),
        fixed(kl32, 5),
        onFront ? 'yes' : 'no',
      ]),
    ),
    markdownTable(
      ['policy', 'compared with', 'kl32', 'charged'],
      report.comparisons.map(({ policy, than, kl32, interval, chargedRecompute }) => [
        policy,
        than,
        `${fixed(kl32, 5)}${range(interval, 5)}`,
        fixed(chargedRecompute, 3),
      ]),
    ),
    '## No significant degradation?',
    'Reference answers under reuse and under full prefill, paired by case.',
    markdownTable(
      ['policy', 'log-probability', 'ROUGE-L', 'BLEU', 'the claim'],
      policies.map(([policy, { overall }]) => [
        policy,
        change(overall.referenceLogProb, 4),
        change(overall.referenceRougeL, 3),
        change(overall.referenceBleu, 3),
        verdict(overall),
      ]),
    ),
    '## Bounds',
    ...boundsLines(report),
    '## By family',
    ...sections,
    '',
  ].join('\n\n');
}
