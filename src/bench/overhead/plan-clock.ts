// How long a sidecar has spent planning, from its metrics: read before and behind a request, the difference is that
// request's part.
import { KvShareError } from '../../errors.ts';

export async function readPlanSeconds(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`);
  const found = /^kvshare_lookup_duration_seconds_sum (\S+)$/m.exec(await response.text());
  if (!found) throw new KvShareError('internal_error', 'The sidecar has no planning time.');
  return Number(found[1]);
}
