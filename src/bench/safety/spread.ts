// How measures of single cases are put together.
import { mean } from '../quality/bootstrap.ts';
import { percentile } from '../statistics.ts';

export interface Spread {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

export const spread = (values: readonly number[]): Spread => ({
  mean: mean(values),
  p99: percentile(values, 0.99),
  max: Math.max(...values),
});

export const total = (values: readonly number[]): number => values.reduce((sum, n) => sum + n, 0);
