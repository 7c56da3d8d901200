// `bench load`: a trace, replayed by so many clients at once, each sending its next request when its last is answered;
// every combination of reuse and scheduler through a `kvshare serve` of its own, so that each starts with nothing stored.
// Receipts are asserted: a run without reuse that reused something, or that lost tokens, is an error and no number.
import { basename } from 'node:path';
import { serveTenants } from '../../harness/index.ts';
import { clinicTrace } from '../clinic-trace.ts';
import { readTrace, type TraceRequest } from '../trace-file.ts';
import { againstFifo } from './against-fifo.ts';
import { replayClosedLoop } from './closed-loop.ts';
import { summarise, type LoadRun } from './load-run.ts';
import type { Served } from './served.ts';
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

async function serveRun(
  trace: readonly TraceRequest[],
  run: Pick<LoadRun, 'concurrency' | 'reuse' | 'scheduler'>,
  options: LoadOptions,
  onAnswer: () => void,
): Promise<Served> {
  const names = [...new Set(trace.map(({ tenant }) => tenant))];
  const served = await serveTenants({
    tenants: names.map((name) => ({ name, key: `key-${name}` })),
    args: ['--scheduler', run.scheduler, ...options.serveArgs],
    env: options.env,
  });
  try {
    return await replayClosedLoop({
      url: served.url,
      trace,
      concurrency: run.concurrency,
      maxTokens: options.maxTokens,
      reuse: run.reuse,
      onAnswer,
    });
  } finally {
    await served.close();
  }
}

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const whole =
    options.trace === null ? clinicTrace(options.requests) : await readTrace(options.trace);
  const trace = whole.slice(0, options.requests);
  const kinds = options.concurrency.flatMap((concurrency) =>
    reuses.flatMap((reuse) => schedulers.map((scheduler) => ({ concurrency, reuse, scheduler }))),
  );
  const total = kinds.length * trace.length;
  let done = 0;
  const runs: LoadRun[] = [];
  for (const kind of kinds) {
    const label = `${kind.concurrency} at once, reuse ${kind.reuse}, ${kind.scheduler}`;
    options.onProgress(done, total, label);
    const served = await serveRun(trace, kind, options, () => {
      options.onProgress(++done, total, label);
    });
    const reordered = kind.scheduler === 'fifo' ? null : { againstFifo: againstFifo(served) };
    runs.push({ ...kind, ...summarise(served, kind.reuse), ...reordered });
  }
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
    'at once reuse scheduler     req/s  prompt tok/s  ttft p50    p95    mean  max queue  hit rate  mean in order of arrival  longest wait against it';
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
      (run.againstFifo?.fifoTtftMeanMs.toFixed(0) ?? '-').padStart(24),
      (run.againstFifo ? `${run.againstFifo.waitRatioMax.toFixed(2)}x` : '-').padStart(24),
    ].join(' '),
  );
  const { requests, promptTokens, newTokens } = report;
  const what = `${report.trace}: ${requests} requests, ${promptTokens} prompt tokens, ${newTokens} new tokens each; milliseconds`;
  return [what, head, ...rows].join('\n');
}
