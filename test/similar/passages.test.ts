import { describe, expect, it } from '@jest/globals';
import { cutPassages, passageKey } from '../../src/similar/passages.ts';

const NEWLINE = 1;
const FULL_STOP = 2;
const MARK = 3;
const classes = new Uint8Array(100);
classes[NEWLINE] = 2;
classes[FULL_STOP] = 1;
classes[MARK] = 4;

const words = (count: number, first = 10): number[] =>
  Array.from({ length: count }, (_, i) => first + (i % 40));
const cut = (...tokens: number[]) =>
  cutPassages(Int32Array.from(tokens), classes).map(({ start, end }) => [start, end]);

describe('cutPassages', () => {
  it('takes a line for a passage, with its line end', () => {
    expect(cut(...words(30), NEWLINE, ...words(40), NEWLINE)).toEqual([
      [0, 31],
      [31, 72],
    ]);
  });

  it('joins short lines with each other, not with a paragraph', () => {
    expect(cut(...words(8), NEWLINE, ...words(9), NEWLINE, ...words(50), NEWLINE)).toEqual([
      [0, 19],
      [19, 70],
    ]);
  });

  it('separates messages and leaves the marks out', () => {
    expect(cut(MARK, ...words(10), MARK, ...words(30))).toEqual([
      [1, 11],
      [12, 42],
    ]);
    expect(cut(MARK, 10, 11, NEWLINE, MARK)).toEqual([]);
  });

  it('cuts a long line at a sentence end', () => {
    expect(cut(...words(100), FULL_STOP, ...words(80), FULL_STOP, ...words(20))).toEqual([
      [0, 182],
      [182, 202],
    ]);
  });

  it('finds the same passage behind another beginning', () => {
    const passage = [...words(30, 20), NEWLINE];
    const keys = (tokens: number[]) => {
      const ids = Int32Array.from(tokens);
      return cutPassages(ids, classes).map((range) => passageKey(ids, range));
    };
    const [, here] = keys([...words(3), NEWLINE, ...words(4), NEWLINE, ...passage]);
    const [, there] = keys([...words(35, 12), NEWLINE, ...passage]);
    expect(here).toBe(there);
  });

  it('stops at 64 passages', () => {
    const line = [...words(30), NEWLINE];
    expect(cut(...Array.from({ length: 100 }, () => line).flat())).toHaveLength(64);
  });
});
