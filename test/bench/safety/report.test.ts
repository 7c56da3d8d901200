import { describe, expect, it } from '@jest/globals';
import { boundsOf } from '../../../src/bench/safety/bounds.ts';
import type { CanaryMeasure, Rise } from '../../../src/bench/safety/measure-canary.ts';
import type {
  CollisionMeasure,
  PolicyCollision,
} from '../../../src/bench/safety/measure-collision.ts';
import type { DiversityMeasure } from '../../../src/bench/safety/measure-diversity.ts';
import { formatSafety } from '../../../src/bench/safety/safety-table.ts';
import { summariseCanaries } from '../../../src/bench/safety/summarise-canaries.ts';
import { summariseCollisions } from '../../../src/bench/safety/summarise-collisions.ts';
import { summariseDiversity } from '../../../src/bench/safety/summarise-diversity.ts';

const riseOf = (secret: number): Rise => ({
  ...{ secret, decoy: 0.1, told: secret > 20, chargedRecompute: 0.25 },
});
const canaryOf = (secret: number, overrides: Partial<CanaryMeasure> = {}): CanaryMeasure => ({
  ...{ id: 'canary-0', family: 'card', promptTokens: 380, secretTokens: 10 },
  rises: { 'edit-closure': riseOf(secret) },
  control: riseOf(60),
  ...{ answers: 10, withSecret: 0, withFragment: 0 },
  ...overrides,
});
const resultOf = (overrides: Partial<PolicyCollision> = {}): PolicyCollision => ({
  ...{ reason: 'full', importedTokens: 200, unequalSlots: 0, sameAnswer: true },
  ...{ saysMarker: false, markerRise: null, ...overrides },
});
const pairOf = (overrides: Partial<PolicyCollision> = {}, cosine: number | null = null) => ({
  ...{ id: 'collision-0', family: 'climb', cosine, promptTokens: 300 },
  policies: { strict: resultOf(overrides), 'edit-closure': resultOf(), semantic: resultOf() },
});
const drawnOf = (first: number) => ({
  tokens: Array.from({ length: 60 }, (_, i) => [first + (i % 3), 7, 8]),
  ...{ withOwn: 4, withOthers: 0 },
});
const promptOf = (first: number): DiversityMeasure => ({
  ...{ id: 'diversity-0', importedTokens: 200, chargedRecompute: 0.2, totalVariation: 0.02 },
  ...{ full: drawnOf(1), reuse: drawnOf(first) },
});

const policies = ['strict', 'edit-closure', 'semantic'];
const reportOf = (
  canaries: readonly CanaryMeasure[],
  collisions: readonly CollisionMeasure[],
  prompts: readonly DiversityMeasure[],
) => {
  const parts = {
    canaries: summariseCanaries(canaries, ['edit-closure']),
    collisions: summariseCollisions(collisions, policies, 0.92),
    diversity: summariseDiversity(prompts),
  };
  const cases = { canaries, collisions };
  return {
    ...({ suite: 'safety', model: 'm', seed: 1, ...parts } as const),
    ...{ bounds: boundsOf(parts), cases },
  };
};

describe('a safety report', () => {
  const good = reportOf([canaryOf(0.1), canaryOf(0.3)], [pairOf({}, 0.93)], [promptOf(1)]);

  it('puts rises together by policy and family', () => {
    const { policies: byPolicy, families, control } = good.canaries;
    const rise = byPolicy['edit-closure']!;
    expect(rise.n).toBe(2);
    expect(rise.secret.mean).toBeCloseTo(0.2, 12);
    expect(rise.secret.max).toBe(0.3);
    expect(rise.perToken.max).toBeCloseTo(0.03, 12);
    expect(rise.dueToDonor.mean).toBeCloseTo(0.1, 12);
    expect(families['card']).toEqual(rise);
    expect(control!.told).toBe(2);
  });

  it('holds when nothing leaks and the control does', () => {
    expect(good.bounds.filter(({ holds }) => !holds)).toEqual([]);
    expect(formatSafety(good)).not.toContain('MISSED');
    expect(formatSafety(good)).toContain('control: imports the secret');
    expect(JSON.parse(JSON.stringify(good))).toEqual(good);
  });

  const missed = (report: ReturnType<typeof reportOf>): string[] =>
    report.bounds.filter(({ holds }) => !holds).map(({ what }) => what);

  it('says which bound is missed', () => {
    const canaries = [canaryOf(0.9, { withSecret: 1, withFragment: 2, control: riseOf(0.2) })];
    const bad = reportOf(
      canaries,
      [pairOf({ unequalSlots: 1, saysMarker: true, sameAnswer: false }, 0.8)],
      [promptOf(3)],
    );
    expect(missed(bad)).toEqual([
      'answers with a secret, of 10',
      'answers with five characters of it',
      'rise of a secret, p99, nats',
      'control: mean rise, nats',
      'strict: unequal slots imported',
      'strict: answers with the marker',
      'strict: share of answers as without cache',
      'climbs that reach the threshold, share',
      'first tokens, full against reuse: p',
    ]);
    expect(formatSafety(bad)).toContain('MISSED');
  });

  it('misses when nothing was imported: silence proves nothing', () => {
    const none = canaryOf(0, { rises: { 'edit-closure': null } });
    const exact = { ...promptOf(1), importedTokens: 0 };
    expect(missed(reportOf([none], [pairOf()], [exact]))).toEqual([
      'canaries whose receiver imported KV',
      'prompts that imported KV',
    ]);
  });
});
