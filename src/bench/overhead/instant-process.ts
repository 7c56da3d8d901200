// The instant runner as a process of its own, and the times that it reports of every answer.
import { startChild, stopChild } from '../../serve/index.ts';
import type { TokenTimes } from './instant-runner.ts';

export interface InstantProcess {
  readonly url: string;
  /** When the request came and its tokens left; waits for the report, which comes behind the answer. */
  timesOf(requestId: string): Promise<TokenTimes>;
  close(): Promise<void>;
}

const isTimes = (message: unknown): message is TokenTimes =>
  Array.isArray((message as Partial<TokenTimes> | null)?.times);

export async function startInstantRunner(options: {
  readonly paceMs: number;
  readonly env: NodeJS.ProcessEnv;
}): Promise<InstantProcess> {
  const args = ['instant-runner', '--port', '0', '--pace-ms', `${options.paceMs}`];
  const child = await startChild(args, options.env);
  const reported = new Map<string, TokenTimes>();
  const waiting = new Map<string, (times: TokenTimes) => void>();
  child.process.on('message', (message) => {
    if (!isTimes(message)) return;
    const { requestId } = message;
    const waiter = waiting.get(requestId);
    if (waiter) waiter(message);
    else reported.set(requestId, message);
    waiting.delete(requestId);
  });
  return {
    url: `http://127.0.0.1:${child.port}`,
    timesOf: (requestId) => {
      const times = reported.get(requestId);
      reported.delete(requestId);
      if (times) return Promise.resolve(times);
      return new Promise((resolve) => waiting.set(requestId, resolve));
    },
    close: () => stopChild(child),
  };
}
