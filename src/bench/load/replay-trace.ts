// A trace sent to a server: by so many clients, each of which takes the next request when its last one is answered, or
// at given moments, whatever is answered by then.
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs, timedRequest, type TimedAnswer } from '../../harness/index.ts';
import type { TraceRequest } from '../trace-file.ts';
import type { Served } from './load-run.ts';

export interface Replay {
  readonly url: string;
  readonly trace: readonly TraceRequest[];
  readonly maxTokens: number;
  readonly reuse: 'on' | 'off';
  readonly onAnswer: () => void;
}

const ask = ({ url, maxTokens, reuse }: Replay, { tenant, user, messages }: TraceRequest) =>
  timedRequest({
    url,
    apiKey: `key-${tenant}`,
    user,
    messages,
    maxTokens,
    ...(reuse === 'off' && { cacheControl: 'bypass, no-store' }),
  });

class TraceReplay {
  readonly #options: Replay;
  readonly #answers: TimedAnswer[] = [];
  readonly #sentMs: number[] = [];
  #start = 0;

  constructor(options: Replay) {
    this.#options = options;
  }

  async run(send: () => Promise<unknown>): Promise<Served> {
    const { trace } = this.#options;
    // The first request of a process is slower than any later one and is no part of the trace.
    await ask({ ...this.#options, reuse: 'off' }, trace[0]!);
    this.#start = monotonicMs();
    await send();
    const elapsedMs = monotonicMs() - this.#start;
    return { answers: this.#answers, sentMs: this.#sentMs, elapsedMs };
  }

  async ask(at: number): Promise<void> {
    const { trace, onAnswer } = this.#options;
    this.#sentMs[at] = monotonicMs() - this.#start;
    this.#answers[at] = await ask(this.#options, trace[at]!);
    onAnswer();
  }
}

export function replayClosedLoop(options: Replay, concurrency: number): Promise<Served> {
  const replay = new TraceReplay(options);
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < options.trace.length) await replay.ask(next++);
  };
  return replay.run(() => Promise.all(Array.from({ length: concurrency }, client)));
}

/** sentMs: of each request, milliseconds behind the start. */
export function replayArrivals(options: Replay, sentMs: readonly number[]): Promise<Served> {
  const replay = new TraceReplay(options);
  const request = async (ms: number, at: number): Promise<void> => {
    await sleep(ms);
    await replay.ask(at);
  };
  return replay.run(() => Promise.all(sentMs.map(request)));
}
