// `bench adapters`: a trace, one request after the other, asked of llama.cpp's server behind our adapter and of the same
// server alone by turns; what each took from its cache, beside what exact prefixes would save with unlimited memory.
import { basename } from 'node:path';
import { KvShareError } from '../../errors.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import { clinicTrace } from '../clinic-trace.ts';
import { median } from '../statistics.ts';
import { readTrace, type TraceRequest } from '../trace-file.ts';
import {
  startContestant,
  type ContestAnswer,
  type Contestant,
  type ContestantName,
  type ContestantOptions,
} from './contestants.ts';
import { unlimitedHitRate } from './unlimited.ts';

export interface AdaptersOptions extends Omit<ContestantOptions, 'tenants'> {
  /** Null = the built-in one. */
  readonly trace: string | null;
  /** At most so many requests of it. */
  readonly requests: number;
  readonly maxTokens: number;
  readonly contestants: readonly ContestantName[];
  readonly tokenizer: Tokenizer;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

export interface ContestResult {
  readonly name: ContestantName;
  readonly ttftMs: { readonly mean: number; readonly p50: number };
  /** Cached tokens / prompt tokens, as the server says. */
  readonly hitRate: number;
}

export interface AdaptersReport {
  readonly suite: 'adapters';
  readonly trace: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly slots: number;
  readonly unlimitedHitRate: number;
  /** The adapter's hit rate / the unlimited one; null when it was not asked. */
  readonly captured: number | null;
  readonly results: readonly ContestResult[];
}

function resultOf(name: ContestantName, answers: readonly ContestAnswer[]): ContestResult {
  const sum = (of: (answer: ContestAnswer) => number): number =>
    answers.reduce((total, answer) => total + of(answer), 0);
  return {
    name,
    ttftMs: {
      mean: sum(({ ttftMs }) => ttftMs) / answers.length,
      p50: median(answers.map(({ ttftMs }) => ttftMs)),
    },
    hitRate: sum(({ cachedTokens }) => cachedTokens) / sum(({ promptTokens }) => promptTokens),
  };
}

/** Whoever counts the same prompt otherwise does not get the same prompt. */
function checkSame(answers: readonly ContestAnswer[]): void {
  const counts = new Set(answers.map(({ promptTokens }) => promptTokens));
  if (counts.size === 1) return;
  const list = [...counts].join(' and ');
  throw new KvShareError('internal_error', `The same prompt has ${list} tokens.`);
}

/** Each request to all, a different one first each time. */
async function askByTurns(
  trace: readonly TraceRequest[],
  contestants: readonly Contestant[],
  { maxTokens, onProgress }: AdaptersOptions,
): Promise<ContestAnswer[][]> {
  // The first request of a process is slower than any later one and is no part of the trace.
  const warmUp = { ...trace[0]!, messages: [{ role: 'user', content: 'Good morning.' }] };
  for (const contestant of contestants) await contestant.ask(warmUp, 1);
  const answers: ContestAnswer[][] = contestants.map(() => []);
  for (const [at, request] of trace.entries()) {
    onProgress(at, trace.length, request.id);
    for (let turn = 0; turn < contestants.length; turn++) {
      const who = (at + turn) % contestants.length;
      answers[who]!.push(await contestants[who]!.ask(request, maxTokens));
    }
    checkSame(answers.map((own) => own.at(-1)!));
  }
  return answers;
}

export async function runAdapters(options: AdaptersOptions): Promise<AdaptersReport> {
  const { tokenizer, slots } = options;
  const whole =
    options.trace === null ? clinicTrace(options.requests) : await readTrace(options.trace);
  const trace = whole.slice(0, options.requests);
  const tenants = [...new Set(trace.map(({ tenant }) => tenant))];
  const contestants: Contestant[] = [];
  try {
    for (const name of options.contestants) {
      contestants.push(await startContestant(name, { ...options, tenants }));
    }
    const answers = await askByTurns(trace, contestants, options);
    const results = contestants.map(({ name }, at) => resultOf(name, answers[at]!));
    const ours = results.find(({ name }) => name === 'adapter');
    const unlimited = await unlimitedHitRate(trace, tokenizer);
    return {
      suite: 'adapters',
      trace: options.trace === null ? 'built-in clinic' : basename(options.trace, '.jsonl'),
      requests: trace.length,
      promptTokens: answers[0]!.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
      slots,
      unlimitedHitRate: unlimited,
      captured: ours ? ours.hitRate / unlimited : null,
      results,
    };
  } finally {
    for (const contestant of contestants) await contestant.close();
  }
}

export function formatAdapters(report: AdaptersReport): string {
  const { trace, requests, promptTokens, slots } = report;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const rows = report.results.map(({ name, ttftMs, hitRate }) =>
    [
      name.padEnd(12),
      ttftMs.mean.toFixed(0).padStart(9),
      ttftMs.p50.toFixed(0).padStart(8),
      percent(hitRate).padStart(9),
    ].join(' '),
  );
  return [
    `${trace}: ${requests} requests, ${promptTokens} prompt tokens, ${slots} slots each`,
    'llama.cpp    ttft mean      p50  hit rate',
    ...rows,
    `exact prefixes with unlimited memory: ${percent(report.unlimitedHitRate)}`,
    ...(report.captured === null ? [] : [`the adapter has ${percent(report.captured)} of that`]),
  ].join('\n');
}
