import { describe, expect, it } from '@jest/globals';
import { mean, meanInterval } from '../../../src/bench/quality/bootstrap.ts';
import {
  divergence,
  logSoftmax,
  meanLogProbability,
  mostLikely,
} from '../../../src/distributions.ts';
import { bleu, rougeL, wordsOf } from '../../../src/bench/quality/text-scores.ts';

describe('distributions', () => {
  const half = logSoftmax([1, 1]);
  it('are normalised logits, however large', () => {
    expect([...half]).toEqual([expect.closeTo(Math.log(0.5)), expect.closeTo(Math.log(0.5))]);
    const [a, b] = logSoftmax([1000, 1000 + Math.log(3)]);
    expect(a).toBeCloseTo(Math.log(0.25), 10);
    expect(b).toBeCloseTo(Math.log(0.75), 10);
  });

  it('differ by KL: 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75), not the same the other way round', () => {
    const skewed = logSoftmax([0, Math.log(3)]);
    expect(divergence(half, skewed)).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 12);
    expect(divergence(skewed, half)).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 12);
    expect(divergence(skewed, skewed)).toBe(0);
  });

  it('have a most likely entry, the first of equal ones, and a mean log-probability of tokens', () => {
    expect(mostLikely([1, 3, 2, 3])).toBe(1);
    const rows = [Float32Array.of(0, 0), Float32Array.of(0, Math.log(3))];
    expect(meanLogProbability(rows, [0, 1])).toBeCloseTo((Math.log(0.5) + Math.log(0.75)) / 2, 6);
  });
});

describe('texts', () => {
  it('are words without case and punctuation', () => {
    expect(wordsOf('Ring 4411, don’t wait: Ärzte!')).toEqual([
      'ring',
      '4411',
      'don',
      't',
      'wait',
      'ärzte',
    ]);
  });

  it('share a longest common subsequence: 3 of 4 and 5 words', () => {
    expect(rougeL('the cat sat down', 'the black cat sat there')).toBeCloseTo((2 * 3) / 9, 12);
    expect(rougeL('b a', 'a b')).toBe(0.5);
    expect(rougeL('', '')).toBe(1);
    expect(rougeL('a', '')).toBe(0);
  });

  it('share n-grams: BLEU by hand', () => {
    // 1: 3/4; 2: (1+1)/(3+1); 3: (0+1)/(2+1); 4: (0+1)/(1+1); as long as the reference.
    const expected = (0.75 * 0.5 * (1 / 3) * 0.5) ** 0.25;
    expect(bleu('the cat ran home', 'the cat went home')).toBeCloseTo(expected, 12);
    expect(bleu('the cat went home', 'the cat went home')).toBeCloseTo(1, 12);
    expect(bleu('dog', 'the cat')).toBe(0);
  });

  it('are clipped and pay for being short', () => {
    // "the" counts once; 1: 1/2, 2: (0+1)/(1+1), 3 and 4: nothing to find, 1/1.
    expect(bleu('the the', 'the cat')).toBeCloseTo((0.5 * 0.5) ** 0.25, 12);
    expect(bleu('the cat', 'the cat went home')).toBeCloseTo(Math.exp(1 - 4 / 2), 12);
  });
});

describe('intervals', () => {
  it('hold the mean, shrink with more cases, and are the same in every run', () => {
    const values = Array.from({ length: 40 }, (_, i) => i % 2);
    const [low, high] = meanInterval(values)!;
    // Mean .5, standard error sqrt(.25 / 40) = .079.
    expect(low).toBeCloseTo(0.5 - 1.96 * 0.079, 1);
    expect(high).toBeCloseTo(0.5 + 1.96 * 0.079, 1);
    expect(meanInterval(values)).toEqual([low, high]);
    const [fewLow, fewHigh] = meanInterval(values.slice(0, 10))!;
    expect(fewHigh - fewLow).toBeGreaterThan(1.5 * (high - low));
    expect(mean(values)).toBe(0.5);
  });

  it('are a point where nothing varies, and unknown for one case', () => {
    expect(meanInterval([2, 2, 2])).toEqual([2, 2]);
    expect(meanInterval([2])).toBeNull();
  });
});
