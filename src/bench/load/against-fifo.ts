// Whether reordering makes anybody wait: what the requests of a run would have waited for their first tokens in order of
// arrival. Not another run: two closed loops have other queues, since a client asks when it is answered. The runner
// computes one prompt at a time, so with the same arrivals and the same time for each prompt fifo's times follow.
import { percentile } from '../statistics.ts';
import type { Served } from './served.ts';

export interface AgainstFifo {
  /** Mean time to the first token in order of arrival. */
  readonly fifoTtftMeanMs: number;
  /** Each request's time to the first token over that in order of arrival: the largest and the 95th percentile. */
  readonly waitRatioMax: number;
  readonly waitRatioP95: number;
  /** The request with the largest ratio, by its place in the trace. */
  readonly longestWait: { readonly request: number; readonly fifoMs: number; readonly ms: number };
}

/** Milliseconds behind the start, like `sentMs`. */
interface Visit {
  readonly request: number;
  readonly sentMs: number;
  /** At the runner, behind what it waited for in the sidecar. */
  readonly arrivedMs: number;
  readonly firstTokenMs: number;
}

/**
 * How long the runner was busy with each: from when it was there and the one before had its first token. Served in
 * their order, these times give exactly the first tokens that there were.
 */
function busyTimes(visits: readonly Visit[]): Map<number, number> {
  const busy = new Map<number, number>();
  let free = 0;
  for (const { request, arrivedMs, firstTokenMs } of [...visits].sort(
    (a, b) => a.firstTokenMs - b.firstTokenMs,
  )) {
    busy.set(request, firstTokenMs - Math.max(free, arrivedMs));
    free = firstTokenMs;
  }
  return busy;
}

export function againstFifo({ answers, sentMs }: Served): AgainstFifo {
  const visits = answers.map(({ ttftMs, timings }, request): Visit => {
    const sent = sentMs[request]!;
    return {
      ...{ request, sentMs: sent },
      arrivedMs: sent + timings.waitedMs,
      firstTokenMs: sent + ttftMs,
    };
  });
  const busy = busyTimes(visits);
  let free = 0;
  const compared = visits
    .sort((a, b) => a.arrivedMs - b.arrivedMs)
    .map(({ request, sentMs, arrivedMs, firstTokenMs }) => {
      free = Math.max(free, arrivedMs) + busy.get(request)!;
      const [fifoMs, ms] = [free - sentMs, firstTokenMs - sentMs];
      return { request, ms, fifoMs, ratio: ms / fifoMs };
    });
  const worst = compared.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const { request, fifoMs, ms } = worst;
  const ratios = compared.map(({ ratio }) => ratio);
  return {
    fifoTtftMeanMs: compared.reduce((sum, { fifoMs }) => sum + fifoMs, 0) / compared.length,
    waitRatioMax: worst.ratio,
    waitRatioP95: percentile(ratios, 0.95),
    longestWait: { request, fifoMs, ms },
  };
}
