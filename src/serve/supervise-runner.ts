// Keeps one runner process alive for `kvshare serve`: restarts it with backoff on the port it had, so that
// the sidecar's address of it stays true. A runner that never came up is the operator's to see: no retry.
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, stopChild, type StartedChild } from './child-process.ts';

export interface RunnerSupervisor {
  readonly url: string;
  readonly pid: () => number | undefined;
  close(): Promise<void>;
}

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
/** A runner that lived this long was healthy: the next backoff starts small again. */
const HEALTHY_MS = 30_000;

export async function superviseRunner(options: {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onRestart: (backoffMs: number) => void;
}): Promise<RunnerSupervisor> {
  const { args, env, onRestart } = options;
  let child: StartedChild = await startChild(['runner', '--port', '0', ...args], env);
  const { port } = child;
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;

  const watch = async (): Promise<void> => {
    let backoffMs = FIRST_BACKOFF_MS;
    while (!stopped()) {
      const startedAt = performance.now();
      await child.exited;
      if (stopped()) return;
      if (performance.now() - startedAt > HEALTHY_MS) backoffMs = FIRST_BACKOFF_MS;
      onRestart(backoffMs);
      await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
      if (stopped()) return;
      const next = await startChild(['runner', '--port', `${port}`, ...args], env).catch(
        () => null,
      );
      if (next) child = next;
      if (next && stopped()) await stopChild(next);
    }
  };
  const watching = watch();
  return {
    url: `http://127.0.0.1:${port}`,
    pid: () => child.process.pid,
    close: async () => {
      stopping.abort();
      await stopChild(child);
      await watching;
    },
  };
}
