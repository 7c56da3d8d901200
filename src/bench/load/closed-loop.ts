// So many clients at once; each takes the next request of the trace when its last one is answered.
import { monotonicMs, timedRequest, type TimedAnswer } from '../../harness/index.ts';
import type { TraceRequest } from '../trace-file.ts';
import type { Served } from './served.ts';

export interface ClosedLoop {
  readonly url: string;
  readonly trace: readonly TraceRequest[];
  readonly concurrency: number;
  readonly maxTokens: number;
  readonly reuse: 'on' | 'off';
  readonly onAnswer: () => void;
}

const ask = ({ url, maxTokens, reuse }: ClosedLoop, { tenant, user, messages }: TraceRequest) =>
  timedRequest({
    url,
    apiKey: `key-${tenant}`,
    user,
    messages,
    maxTokens,
    ...(reuse === 'off' && { cacheControl: 'bypass, no-store' }),
  });

/** Answers in the trace's order, when their requests were sent, and how long all of it took. */
export async function replayClosedLoop(options: ClosedLoop): Promise<Served> {
  const { trace, concurrency, onAnswer } = options;
  // The first request of a process is slower than any later one and is no part of the trace.
  await ask({ ...options, reuse: 'off' }, trace[0]!);
  const answers: TimedAnswer[] = [];
  const sentMs: number[] = [];
  let next = 0;
  const start = monotonicMs();
  const client = async (): Promise<void> => {
    while (next < trace.length) {
      const at = next++;
      sentMs[at] = monotonicMs() - start;
      answers[at] = await ask(options, trace[at]!);
      onAnswer();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  return { answers, sentMs, elapsedMs: monotonicMs() - start };
}
