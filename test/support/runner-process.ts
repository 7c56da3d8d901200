// `kvshare runner` with the tiny model as a process of its own, with as little memory as R16 gives it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Cgroup } from './cgroup.ts';

const main = new URL('../../src/main.ts', import.meta.url).pathname;

export interface RunnerProcess {
  readonly url: string;
  readonly pid: number;
  /** From spawn to listening. */
  readonly startMs: number;
  /** What it said besides, a line each. */
  readonly lines: readonly string[];
  /** SIGKILL, unless another one is asked for; until it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

const running = new Set<ChildProcess>();

/** For `afterEach`: a test that failed in the middle leaves nobody behind. */
export async function endRunners(): Promise<void> {
  const ends = [...running].map(async (child) => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await Promise.all(ends);
}

export async function startRunner(
  model: string,
  args: readonly string[],
  cgroup?: Cgroup,
): Promise<RunnerProcess> {
  const start = performance.now();
  // The runner warns of variables that it does not know.
  const { KVSHARE_FULL: _, ...env } = process.env;
  const child = spawn(
    process.execPath,
    [
      ...['--max-old-space-size=256', '--import', 'tsx', main, 'runner', '--port', '0'],
      ...['--model', model, '--backend', 'cpu', '--log-level', 'warn', ...args],
    ],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  cgroup?.add(child.pid!);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  running.add(child);
  child.once('exit', () => running.delete(child));
  const lines: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      const found = /runner on (http:\S+)/.exec(line);
      if (found) resolve(found[1]!);
      else lines.push(line);
    });
    void exited.then(() => reject(new Error(`the runner did not start: ${lines.join('\n')}`)));
  });
  return {
    url,
    pid: child.pid!,
    startMs: performance.now() - start,
    lines,
    end: async (signal = 'SIGKILL') => {
      child.kill(signal);
      await exited;
    },
  };
}
