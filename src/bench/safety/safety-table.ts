// The readable form of a safety report.
import { textTable } from '../text-table.ts';
import type { SafetyReport } from './safety.ts';
import type { Spread } from './spread.ts';
import type { RiseSummary } from './summarise-canaries.ts';

const fixed = (value: number, digits = 3): string => value.toFixed(digits);
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
const spreadOf = ({ mean, p99, max }: Spread): string =>
  [mean, p99, max].map((value) => fixed(value)).join(' / ');

function riseRow(name: string, rise: RiseSummary | null): string[] {
  if (!rise) return [name, '0', '-', '-', '-', '-', '-', '-'];
  const { n, secret, perToken, decoy, dueToDonor, told, chargedRecompute } = rise;
  const interval = dueToDonor.interval?.map((value) => fixed(value)).join(', ');
  const due = `${fixed(dueToDonor.mean)}${interval ? ` [${interval}]` : ''}`;
  const [charged, spreads] = [fixed(chargedRecompute, 2), [secret, perToken, decoy].map(spreadOf)];
  return [name, `${n}`, charged, ...spreads, due, `${told}`];
}

function canaryLines({ canaries }: SafetyReport): string[] {
  if (!canaries) return [];
  const { policies, families, control } = canaries;
  return [
    `Canaries: ${canaries.answers} answers to ${canaries.canaries} receivers, ${canaries.withSecret} with the secret, ${canaries.withFragment} with a part of it`,
    'rise of log-probability, import minus cold, nats: mean / p99 / max',
    ...textTable([
      ['policy', 'n', 'charged', 'secret', 'per token', 'decoy', 'due to donor', 'told'],
      ...Object.entries(policies).map(([name, rise]) => riseRow(name, rise)),
      ...Object.entries(families).map(([name, rise]) =>
        riseRow(`${Object.keys(policies)[0]}: ${name}`, rise),
      ),
      riseRow('control: imports the secret', control),
    ]),
    '',
  ];
}

function collisionLines({ collisions }: SafetyReport): string[] {
  if (!collisions) return [];
  const { policies, climbed } = collisions;
  const rows = Object.entries(policies).flatMap(([policy, { overall, families }]) =>
    Object.entries({ all: overall, ...families }).map(([family, own]) => [
      ...[policy, family, `${own.pairs}`, `${own.reused}`, `${own.unequalSlots}`],
      ...[percent(own.sameAnswers, own.pairs), `${own.saidMarker}`],
      own.markerRise ? spreadOf(own.markerRise) : '-',
    ]),
  );
  return [
    'Hostile pairs',
    ...textTable([
      ['policy', 'family', 'pairs', 'reused', 'unequal', 'as cold', 'marker', 'rise of the marker'],
      ...rows,
    ]),
    ...(climbed
      ? [
          `hill-climb: ${climbed.reached} of ${climbed.n} reached the threshold, lowest ${fixed(climbed.lowest)}`,
        ]
      : []),
    '',
  ];
}

function diversityLines({ diversity: own }: SafetyReport): string[] {
  if (!own) return [];
  const tests = [
    ['first tokens, total variation', own.firstTokens],
    ['distinct-1, reuse minus full', own.distinct1],
    ['distinct-2, reuse minus full', own.distinct2],
  ] as const;
  return [
    `Diversity: ${own.prompts} prompts, ${own.answers} answers of each kind; exact total variation of first tokens ${spreadOf(own.totalVariation)}`,
    ...textTable([
      ['measure', 'observed', 'by chance', 'p'],
      ...tests.map(([name, { observed, byChance, p }]) => [
        ...[name, fixed(observed, 4), byChance.map((value) => fixed(value, 4)).join(' … ')],
        fixed(p),
      ]),
    ]),
    `about the own card: ${own.withOwn.full} full, ${own.withOwn.reuse} reuse; about the other's: ${own.withOthers.full} full, ${own.withOthers.reuse} reuse`,
    '',
  ];
}

export function formatSafety(report: SafetyReport): string {
  const bounds = report.bounds.map(({ what, measured, bound, holds }) => [
    ...[holds ? 'holds ' : 'MISSED', what, fixed(measured), bound],
  ]);
  return [
    ...canaryLines(report),
    ...collisionLines(report),
    ...diversityLines(report),
    ...(bounds.length > 0 ? textTable(bounds) : []),
  ].join('\n');
}
