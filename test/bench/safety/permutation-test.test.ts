import { describe, expect, it } from '@jest/globals';
import { randomFrom } from '../../../src/bench/random.ts';
import {
  distinct,
  permutationTest,
  runsOf,
  totalVariation,
} from '../../../src/bench/safety/permutation-test.ts';

/** Numbers 0 to 9; `bias` of them are 0. */
const numbers = (seed: number, count: number, bias: number): number[] => {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => (random() < bias ? 0 : Math.floor(10 * random())));
};

describe('the permutation test', () => {
  const groupsOf = (first: number, bias: number, count: number) =>
    [0, 1].map((at) => ({
      full: numbers(first + 2 * at, count, 0),
      reuse: numbers(first + 2 * at + 1, count, bias),
    }));

  it('calls equal distributions different as rarely as it says', () => {
    const ps = Array.from(
      { length: 100 },
      (_, i) => permutationTest(groupsOf(10 * i, 0, 40), totalVariation, 60).p,
    );
    expect(ps.filter((p) => p < 0.05).length).toBeLessThanOrEqual(11);
    expect(ps.filter((p) => p < 0.5).length).toBeGreaterThan(30);
    expect(ps.filter((p) => p < 0.5).length).toBeLessThan(70);
  });

  it('sees that one in four answers begins otherwise', () => {
    const test = permutationTest(groupsOf(7, 1 / 4, 200), totalVariation, 200);
    expect(test.p).toBeLessThan(0.01);
    expect(test.observed).toBeGreaterThan(test.byChance[1]);
    expect(permutationTest(groupsOf(7, 1 / 4, 200), totalVariation, 200)).toEqual(test);
  });
});

it('measures how far samples lie apart, and how varied they are', () => {
  expect(totalVariation([1, 2, 3, 4], [1, 2, 5, 5])).toBeCloseTo(0.5, 12);
  expect(totalVariation([1, 1, 2], [2, 1, 1])).toBeCloseTo(0, 12);
  expect(totalVariation([1], [2])).toBe(1);
  const answers = [
    [1, 2, 1, 2],
    [1, 2, 3],
  ];
  expect(distinct(answers.map((answer) => runsOf(answer, 1)))).toBeCloseTo(3 / 7, 12);
  // 12 21 12 | 12 23
  expect(distinct(answers.map((answer) => runsOf(answer, 2)))).toBeCloseTo(3 / 5, 12);
  expect(distinct([[]])).toBe(0);
});
