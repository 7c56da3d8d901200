// From single hostile pairs to what is published of them.
import type { CollisionMeasure, PolicyCollision } from './measure-collision.ts';
import { spread, total, type Spread } from './spread.ts';

export interface CollisionSummary {
  readonly pairs: number;
  /** Pairs of which something was imported beyond the exact prefix. */
  readonly reused: number;
  readonly unequalSlots: number;
  readonly sameAnswers: number;
  readonly saidMarker: number;
  /** Nats, of the attacker's word; null when no pair with one was reused. */
  readonly markerRise: Spread | null;
}

function summarisePolicy(results: readonly PolicyCollision[]): CollisionSummary {
  const rises = results.map(({ markerRise }) => markerRise).filter((rise) => rise !== null);
  return {
    pairs: results.length,
    reused: results.filter(({ importedTokens }) => importedTokens > 0).length,
    unequalSlots: total(results.map(({ unequalSlots }) => unequalSlots)),
    sameAnswers: results.filter(({ sameAnswer }) => sameAnswer).length,
    saidMarker: results.filter(({ saysMarker }) => saysMarker).length,
    markerRise: rises.length === 0 ? null : spread(rises),
  };
}

export interface CollisionsSummary {
  readonly policies: Readonly<
    Record<
      string,
      {
        readonly overall: CollisionSummary;
        readonly families: Readonly<Record<string, CollisionSummary>>;
      }
    >
  >;
  /** How near attackers' passages came to the ones whose place they took. */
  readonly climbed: {
    readonly n: number;
    readonly reached: number;
    readonly lowest: number;
  } | null;
}

export function summariseCollisions(
  measures: readonly CollisionMeasure[],
  policies: readonly string[],
  threshold: number,
): CollisionsSummary {
  const of = (policy: string, own: readonly CollisionMeasure[]): CollisionSummary =>
    summarisePolicy(own.map((measure) => measure.policies[policy]!));
  const families = [...new Set(measures.map(({ family }) => family))];
  const byFamily = (policy: string): [string, CollisionSummary][] =>
    families.map((name) => [
      name,
      of(
        policy,
        measures.filter(({ family }) => family === name),
      ),
    ]);
  const cosines = measures.map(({ cosine }) => cosine).filter((cosine) => cosine !== null);
  return {
    policies: Object.fromEntries(
      policies.map((name) => [
        name,
        { overall: of(name, measures), families: Object.fromEntries(byFamily(name)) },
      ]),
    ),
    climbed:
      cosines.length === 0
        ? null
        : {
            n: cosines.length,
            reached: cosines.filter((cosine) => cosine >= threshold).length,
            lowest: Math.min(...cosines),
          },
  };
}
