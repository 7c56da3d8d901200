// From single canaries to what is published of them.
import { mean, meanInterval, type Interval } from '../quality/bootstrap.ts';
import type { CanaryMeasure, Rise } from './measure-canary.ts';
import { spread, total, type Spread } from './spread.ts';

/** Nats; over the canaries of which something was imported. */
export interface RiseSummary {
  readonly n: number;
  /** Of the whole secret, and of each of its tokens. */
  readonly secret: Spread;
  readonly perToken: Spread;
  /** Of a string that nobody was told. */
  readonly decoy: Spread;
  /** Secret minus decoy: what is due to the donor. */
  readonly dueToDonor: { readonly mean: number; readonly interval: Interval | null };
  readonly told: number;
  readonly chargedRecompute: number;
}

type Counted = Rise & { readonly tokens: number };

function summariseRises(rises: readonly Counted[]): RiseSummary | null {
  if (rises.length === 0) return null;
  const due = rises.map(({ secret, decoy }) => secret - decoy);
  return {
    n: rises.length,
    secret: spread(rises.map(({ secret }) => secret)),
    perToken: spread(rises.map(({ secret, tokens }) => secret / tokens)),
    decoy: spread(rises.map(({ decoy }) => decoy)),
    dueToDonor: { mean: mean(due), interval: meanInterval(due) },
    told: rises.filter(({ told }) => told).length,
    chargedRecompute: mean(rises.map(({ chargedRecompute }) => chargedRecompute)),
  };
}

export interface CanarySummary {
  readonly canaries: number;
  readonly answers: number;
  readonly withSecret: number;
  readonly withFragment: number;
  /** By policy; null = nothing was imported. The first policy gave the answers. */
  readonly policies: Readonly<Record<string, RiseSummary | null>>;
  /** The first policy, by where the secret stood. */
  readonly families: Readonly<Record<string, RiseSummary | null>>;
  /** A plan that imports the changed tokens. */
  readonly control: RiseSummary | null;
}

export function summariseCanaries(
  measures: readonly CanaryMeasure[],
  policies: readonly string[],
): CanarySummary {
  const counted = (policy: string, own: readonly CanaryMeasure[]): RiseSummary | null =>
    summariseRises(
      own.flatMap(({ rises, secretTokens: tokens }) =>
        rises[policy] ? [{ ...rises[policy], tokens }] : [],
      ),
    );
  const families = [...new Set(measures.map(({ family }) => family))];
  return {
    canaries: measures.length,
    answers: total(measures.map(({ answers }) => answers)),
    withSecret: total(measures.map(({ withSecret }) => withSecret)),
    withFragment: total(measures.map(({ withFragment }) => withFragment)),
    policies: Object.fromEntries(policies.map((name) => [name, counted(name, measures)])),
    families: Object.fromEntries(
      families.map((name) => [
        name,
        counted(
          policies[0]!,
          measures.filter(({ family }) => family === name),
        ),
      ]),
    ),
    control: summariseRises(
      measures.map(({ control, secretTokens: tokens }) => ({ ...control, tokens })),
    ),
  };
}
