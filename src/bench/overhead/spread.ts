// Milliseconds of many requests, in three numbers.
import { percentile } from '../statistics.ts';

export interface Spread {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export const spreadOf = (samples: readonly number[]): Spread => ({
  p50: percentile(samples, 0.5),
  p90: percentile(samples, 0.9),
  p99: percentile(samples, 0.99),
});
