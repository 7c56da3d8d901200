// What one run of `bench load` did, from the clock of its clients and the receipts of its answers.
import { KvShareError } from '../../errors.ts';
import type { TimedAnswer } from '../../harness/index.ts';
import { percentile } from '../statistics.ts';
import type { AgainstFifo } from './against-fifo.ts';
import type { Served } from './served.ts';

export interface LoadRun {
  readonly concurrency: number;
  readonly reuse: 'on' | 'off';
  readonly scheduler: 'fifo' | 'reuse-aware';
  readonly requestsPerSecond: number;
  readonly promptTokensPerSecond: number;
  readonly ttftMs: { readonly p50: number; readonly p95: number; readonly mean: number };
  /** Prompt tokens that did not have to be computed / prompt tokens. */
  readonly hitRate: number;
  /** The longest that a request was queued in the runner. */
  readonly maxWaitMs: number;
  readonly promptTokens: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Reuse-aware runs only. */
  readonly againstFifo?: AgainstFifo;
}

function checkReceipt(answer: TimedAnswer, reuse: 'on' | 'off'): void {
  const { promptTokens, exactTokens, importedTokens, recomputedTokens } = answer;
  const found = exactTokens + importedTokens;
  const adds = recomputedTokens <= promptTokens && recomputedTokens + found >= promptTokens;
  if (reuse === 'on' && adds) return;
  if (reuse === 'off' && found === 0 && recomputedTokens === promptTokens) return;
  throw new KvShareError(
    'internal_error',
    `reuse ${reuse}: a receipt of ${promptTokens} tokens says ${exactTokens} exact, ` +
      `${importedTokens} imported, ${recomputedTokens} recomputed.`,
  );
}

export function summarise(
  { answers, elapsedMs }: Pick<Served, 'answers' | 'elapsedMs'>,
  reuse: 'on' | 'off',
): Omit<LoadRun, 'concurrency' | 'reuse' | 'scheduler'> {
  for (const answer of answers) checkReceipt(answer, reuse);
  const sum = (of: (answer: TimedAnswer) => number): number =>
    answers.reduce((total, answer) => total + of(answer), 0);
  const promptTokens = sum((answer) => answer.promptTokens);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of answers) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  const ttft = answers.map(({ ttftMs }) => ttftMs);
  return {
    requestsPerSecond: (1000 * answers.length) / elapsedMs,
    promptTokensPerSecond: (1000 * promptTokens) / elapsedMs,
    ttftMs: {
      p50: percentile(ttft, 0.5),
      p95: percentile(ttft, 0.95),
      mean: sum(({ ttftMs }) => ttftMs) / answers.length,
    },
    hitRate: (promptTokens - sum((answer) => answer.recomputedTokens)) / promptTokens,
    maxWaitMs: Math.max(...answers.map(({ timings }) => timings.queueMs)),
    promptTokens,
    outcomes,
  };
}
