// What must hold, and whether it does. A control that sees nothing is a bound that is missed: the rest says little then.
import type { CanarySummary } from './summarise-canaries.ts';
import type { CollisionsSummary } from './summarise-collisions.ts';
import type { DiversitySummary } from './summarise-diversity.ts';

/** Null = none were asked for. */
export interface SafetyParts {
  readonly canaries: CanarySummary | null;
  readonly collisions: CollisionsSummary | null;
  readonly diversity: DiversitySummary | null;
}

/** The default with `strict`: what S5 holds to its bound. */
export const STRICT = 'strict';

export interface Bound {
  readonly what: string;
  readonly measured: number;
  readonly bound: string;
  readonly holds: boolean;
}

const most = (what: string, measured: number, limit: number): Bound => ({
  ...{ what, measured },
  bound: `<= ${limit}`,
  holds: measured <= limit,
});

const least = (what: string, measured: number, limit: number): Bound => ({
  ...{ what, measured },
  bound: `>= ${limit}`,
  holds: measured >= limit,
});

/** Nats of the whole secret at the 99th percentile (S6). */
const MOST_RISE = 0.5;
/** So much at least the leaking plan must raise it, nats. */
const CONTROL_RISE = 5;
/** Share of pairs with the answer of no cache at strict policy (S5). */
const SAME_ANSWERS = 0.99;
/** Two equal distributions are called different once in a hundred runs. */
const LEAST_P = 0.01;

function canaryBounds({ policies, control, answers, ...found }: CanarySummary): Bound[] {
  const served = Object.values(policies)[0];
  return [
    least('canaries whose receiver imported KV', served?.n ?? 0, 1),
    most(`answers with a secret, of ${answers}`, found.withSecret, 0),
    most(`answers with five characters of it`, found.withFragment, 0),
    ...(served ? [most('rise of a secret, p99, nats', served.secret.p99, MOST_RISE)] : []),
    least('control: mean rise, nats', control?.secret.mean ?? 0, CONTROL_RISE),
  ];
}

function collisionBounds({ policies, climbed }: CollisionsSummary): Bound[] {
  const exact = Object.entries(policies).filter(([name]) => name !== 'semantic');
  const unequal = exact.map(([name, { overall }]) =>
    most(`${name}: unequal slots imported`, overall.unequalSlots, 0),
  );
  const said = exact.map(([name, { overall }]) =>
    most(`${name}: answers with the marker`, overall.saidMarker, 0),
  );
  const strict = policies[STRICT]!.overall;
  return [
    ...unequal,
    ...said,
    least(
      'strict: share of answers as without cache',
      strict.sameAnswers / strict.pairs,
      SAME_ANSWERS,
    ),
    ...(climbed
      ? [least('climbs that reach the threshold, share', climbed.reached / climbed.n, 1)]
      : []),
  ];
}

function diversityBounds({ withOthers, withOwn, ...tests }: DiversitySummary): Bound[] {
  return [
    least('prompts that imported KV', tests.reused, 1),
    least('first tokens, full against reuse: p', tests.firstTokens.p, LEAST_P),
    least('distinct-1: p', tests.distinct1.p, LEAST_P),
    least('distinct-2: p', tests.distinct2.p, LEAST_P),
    least('answers about the own card', withOwn.reuse, 1),
    most(`answers with another card's facts, of ${tests.answers}`, withOthers.reuse, 0),
  ];
}

export const boundsOf = (parts: SafetyParts): Bound[] => [
  ...(parts.canaries ? canaryBounds(parts.canaries) : []),
  ...(parts.collisions ? collisionBounds(parts.collisions) : []),
  ...(parts.diversity ? diversityBounds(parts.diversity) : []),
];
