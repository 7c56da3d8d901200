// `kvshare runner` with the tiny model as a process of its own, with as little memory as R16 gives it.
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const main = new URL('../../src/main.ts', import.meta.url).pathname;

export interface RunnerProcess {
  readonly url: string;
  /** From spawn to listening. */
  readonly startMs: number;
  /** What it said besides, a line each. */
  readonly lines: readonly string[];
  /** SIGKILL, unless another one is asked for; until it is gone. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

const running = new Set<ChildProcess>();

/** For `afterEach`: a test that failed in the middle leaves nobody behind, and does not wait for them. */
export function endRunners(): void {
  for (const child of running) child.kill('SIGKILL');
}

export async function startRunner(model: string, args: readonly string[]): Promise<RunnerProcess> {
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
    startMs: performance.now() - start,
    lines,
    end: async (signal = 'SIGKILL') => {
      child.kill(signal);
      await exited;
    },
  };
}
