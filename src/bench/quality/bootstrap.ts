// Means and their percentile intervals by resampling cases (Efron 1979), with the same draws in every run. For a
// paired comparison hand in the differences by case.
import { randomFrom } from '../random.ts';
import { percentile } from '../statistics.ts';

export const RESAMPLES = 10_000;
const SEED = 20_250_323;
const CONFIDENCE = 0.95;

export type Interval = readonly [low: number, high: number];

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean; null for fewer than two values, which say nothing about their spread. */
export function meanInterval(values: readonly number[], resamples = RESAMPLES): Interval | null {
  const count = values.length;
  if (count < 2) return null;
  const random = randomFrom(SEED);
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[Math.floor(random() * count)]!;
    return sum / count;
  });
  const tail = (1 - CONFIDENCE) / 2;
  return [percentile(means, tail), percentile(means, 1 - tail)];
}
