// Whether reordering makes anybody wait: the time to the first token of every request under the reuse-aware scheduler,
// over that of the same request under fifo.
import { percentile } from '../statistics.ts';
import type { SameArrivals, Served } from './load-run.ts';

type Answered = Pick<Served, 'answers'>;

const meanTtft = ({ answers }: Answered): number =>
  answers.reduce((sum, { ttftMs }) => sum + ttftMs, 0) / answers.length;

/** Both runs with the same arrivals. */
export function compareWaits(fifo: Answered, reuseAware: Answered): SameArrivals {
  const pairs = fifo.answers.map(({ ttftMs: fifoMs }, request) => {
    const reuseAwareMs = reuseAware.answers[request]!.ttftMs;
    return { request, fifoMs, reuseAwareMs, ratio: reuseAwareMs / fifoMs };
  });
  const ratios = pairs.map(({ ratio }) => ratio);
  const worst = pairs.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const { request, fifoMs, reuseAwareMs } = worst;
  return {
    ttftMeanMs: { fifo: meanTtft(fifo), reuseAware: meanTtft(reuseAware) },
    waitRatioMax: worst.ratio,
    waitRatioP95: percentile(ratios, 0.95),
    longestWait: { request, fifoMs, reuseAwareMs },
  };
}
