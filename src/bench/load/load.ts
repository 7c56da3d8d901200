// `bench load`: a trace, replayed by so many clients at once, each sending its next request when its last is answered;
// every combination of reuse and scheduler through a `kvshare serve` of its own, so that each starts with nothing stored.
// With reuse the requests of the fifo run are sent once more, at the same moments, to the other scheduler: who waits longer
// for it than under fifo? Receipts are asserted: a run without reuse that reused something, or that lost tokens, is an error and no number.
import { basename } from 'node:path';
import { serveTenants } from '../../harness/index.ts';
import { clinicTrace } from '../clinic-trace.ts';
import { readTrace, type TraceRequest } from '../trace-file.ts';
import { summarise, type LoadRun, type SameArrivals, type Served } from './load-run.ts';
import { replayArrivals, replayClosedLoop, type Replay } from './replay-trace.ts';
import { compareWaits } from './wait-ratio.ts';
import type { ServeOptions } from '../serve-options.ts';

export interface LoadOptions extends ServeOptions {
  /** Null = the built-in one. */
  readonly trace: string | null;
  /** At most so many requests of it. */
  readonly requests: number;
  readonly concurrency: readonly number[];
  readonly maxTokens: number;
}

export interface LoadReport {
  readonly suite: 'load';
  readonly trace: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly runs: readonly LoadRun[];
}

const reuses = ['off', 'on'] as const;
const schedulers = ['fifo', 'reuse-aware'] as const;

/** A server that has nothing stored, for one replay. */
async function serveRun(
  trace: readonly TraceRequest[],
  scheduler: LoadRun['scheduler'],
  options: LoadOptions,
  replay: (url: string) => Promise<Served>,
): Promise<Served> {
  const names = [...new Set(trace.map(({ tenant }) => tenant))];
  const served = await serveTenants({
    tenants: names.map((name) => ({ name, key: `key-${name}` })),
    args: ['--scheduler', scheduler, ...options.serveArgs],
    env: options.env,
  });
  try {
    return await replay(served.url);
  } finally {
    await served.close();
  }
}

class LoadSuite {
  readonly #options: LoadOptions;
  readonly #trace: readonly TraceRequest[];
  readonly #total: number;
  #done = 0;

  constructor(options: LoadOptions, trace: readonly TraceRequest[]) {
    this.#options = options;
    this.#trace = trace;
    const replays = reuses.length * schedulers.length + 1;
    this.#total = options.concurrency.length * replays * trace.length;
  }

  /** All combinations. */
  async runs(concurrency: number): Promise<LoadRun[]> {
    const runs: LoadRun[] = [];
    for (const reuse of reuses) {
      const fifo = await this.#closedLoop(concurrency, reuse, 'fifo');
      runs.push({ concurrency, reuse, scheduler: 'fifo', ...summarise(fifo, reuse) });
      const aware = await this.#closedLoop(concurrency, reuse, 'reuse-aware');
      const run = {
        concurrency,
        reuse,
        scheduler: 'reuse-aware',
        ...summarise(aware, reuse),
      } as const;
      const sameArrivals = reuse === 'on' ? await this.#sameArrivals(concurrency, fifo) : null;
      runs.push(sameArrivals ? { ...run, sameArrivals } : run);
    }
    return runs;
  }

  #closedLoop(concurrency: number, reuse: LoadRun['reuse'], scheduler: LoadRun['scheduler']) {
    const label = `${concurrency} at once, reuse ${reuse}, ${scheduler}`;
    return this.#serve(label, reuse, scheduler, (replay) => replayClosedLoop(replay, concurrency));
  }

  async #sameArrivals(concurrency: number, fifo: Served): Promise<SameArrivals> {
    const label = `${concurrency} at once, reuse on, reuse-aware, when fifo's requests came`;
    const aware = await this.#serve(label, 'on', 'reuse-aware', (replay) =>
      replayArrivals(replay, fifo.sentMs),
    );
    return compareWaits(fifo, aware);
  }

  #serve(
    label: string,
    reuse: LoadRun['reuse'],
    scheduler: LoadRun['scheduler'],
    send: (replay: Replay) => Promise<Served>,
  ): Promise<Served> {
    const { maxTokens, onProgress } = this.#options;
    const trace = this.#trace;
    onProgress(this.#done, this.#total, label);
    const onAnswer = (): void => onProgress(++this.#done, this.#total, label);
    return serveRun(trace, scheduler, this.#options, (url) =>
      send({ url, trace, maxTokens, reuse, onAnswer }),
    );
  }
}

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const whole =
    options.trace === null ? clinicTrace(options.requests) : await readTrace(options.trace);
  const trace = whole.slice(0, options.requests);
  const suite = new LoadSuite(options, trace);
  const runs: LoadRun[] = [];
  for (const concurrency of options.concurrency) runs.push(...(await suite.runs(concurrency)));
  return {
    suite: 'load',
    trace: options.trace === null ? 'built-in clinic' : basename(options.trace, '.jsonl'),
    requests: trace.length,
    promptTokens: runs[0]!.promptTokens,
    newTokens: options.maxTokens,
    runs,
  };
}

export function formatLoad(report: LoadReport): string {
  const ms = (value: number): string => value.toFixed(0).padStart(7);
  const head =
    'at once reuse scheduler     req/s  prompt tok/s  ttft p50    p95    mean  max queue  hit rate';
  const rows = report.runs.map((run) =>
    [
      `${run.concurrency}`.padStart(7),
      run.reuse.padEnd(5),
      run.scheduler.padEnd(11),
      run.requestsPerSecond.toFixed(2).padStart(7),
      run.promptTokensPerSecond.toFixed(0).padStart(13),
      ms(run.ttftMs.p50).padStart(9),
      ms(run.ttftMs.p95).padStart(7),
      ms(run.ttftMs.mean).padStart(7),
      ms(run.maxWaitMs).padStart(10),
      `${(100 * run.hitRate).toFixed(1)} %`.padStart(9),
    ].join(' '),
  );
  const { requests, promptTokens, newTokens } = report;
  const what = `${report.trace}: ${requests} requests, ${promptTokens} prompt tokens, ${newTokens} new tokens each; milliseconds`;
  return [what, head, ...rows, ...report.runs.flatMap(formatSameArrivals)].join('\n');
}

function formatSameArrivals({ concurrency, sameArrivals }: LoadRun): string[] {
  if (!sameArrivals) return [];
  const { ttftMeanMs, waitRatioMax, waitRatioP95 } = sameArrivals;
  const [fifo, aware] = [ttftMeanMs.fifo.toFixed(0), ttftMeanMs.reuseAware.toFixed(0)];
  return [
    `${concurrency} at once, fifo's requests at the same moments under reuse-aware: mean ttft ${aware} against ${fifo}, ` +
      `longest wait ${waitRatioMax.toFixed(2)}x its fifo time, p95 ${waitRatioP95.toFixed(2)}x`,
  ];
}
