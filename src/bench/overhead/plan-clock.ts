// How long a sidecar has spent planning (tokens, donors, plan), from its metrics: read before and behind a request, the
// difference is that request's part.
import { KvShareError } from '../../errors.ts';
import type { Served } from '../../harness/index.ts';

export async function readPlanSeconds(sidecar: Served): Promise<number> {
  const response = await sidecar.monitor('/metrics');
  const sums = [
    ...(await response.text()).matchAll(
      /^kvshare_(?:tokenize|lookup)_duration_seconds_sum (\S+)$/gm,
    ),
  ];
  if (sums.length !== 2)
    throw new KvShareError('internal_error', 'The sidecar has no planning time.');
  return sums.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}
