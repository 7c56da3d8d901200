// Whether reordering makes anybody wait: what the requests of a run would have waited for their first tokens in order of
// arrival. Not another run: two closed loops have other queues, since a client asks when it is answered. The runner
// computes one prompt at a time, so with the same arrivals and the same time for each prompt fifo's times follow.
import type { TimedAnswer } from '../../harness/index.ts';
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

interface Visit {
  readonly request: number;
  readonly ttftMs: number;
  /** At the runner's queue; in milliseconds behind the start, like `sentMs`. */
  readonly arrivedMs: number;
  /** From the end of its wait to the first token. */
  readonly ownMs: number;
  readonly sentMs: number;
}

function visitOf({ ttftMs, timings }: TimedAnswer, request: number, sentMs: number): Visit {
  // What it waited for in the sidecar comes before the queue, in any order.
  const arrivedMs = sentMs + timings.waitedMs;
  const ownMs = ttftMs - timings.waitedMs - timings.queueMs;
  return { request, ttftMs, arrivedMs, ownMs, sentMs };
}

export function againstFifo({ answers, sentMs }: Served): AgainstFifo {
  const visits = answers
    .map((answer, request) => visitOf(answer, request, sentMs[request]!))
    .sort((a, b) => a.arrivedMs - b.arrivedMs);
  let free = 0;
  const compared = visits.map(({ request, ttftMs, arrivedMs, ownMs, sentMs }) => {
    free = Math.max(free, arrivedMs) + ownMs;
    const fifoMs = free - sentMs;
    return { request, ms: ttftMs, fifoMs, ratio: ttftMs / fifoMs };
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
