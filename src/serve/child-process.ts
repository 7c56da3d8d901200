// A child `kvshare` process that says over IPC where it listens. It dies with us: the IPC channel closes
// when the parent goes, however it goes, and the child exits on that.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { KvShareError } from '../errors.ts';
import { WithoutNotices } from './without-notices.ts';

export interface ReadyMessage {
  readonly type: 'ready';
  readonly port: number;
}

export interface StartedChild {
  readonly process: ChildProcess;
  readonly port: number;
  /** Resolves when the process is gone, and what it wrote at last is on our stderr. */
  readonly exited: Promise<void>;
}

const isReady = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && (message as ReadyMessage | null)?.type === 'ready';

const entry = (): string => {
  const here = fileURLToPath(import.meta.url);
  return fileURLToPath(
    new URL(here.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
  );
};

/** Tells the parent, if there is one, that requests are welcome. */
export function announceReady(port: number): void {
  process.send?.({ type: 'ready', port } satisfies ReadyMessage);
}

const ignore = (): void => undefined;

/** Whoever reads our stderr, a parent or a collector of logs, may be gone before us: no reason to end as well. */
function outliveReader(): void {
  if (!process.stderr.listeners('error').includes(ignore)) process.stderr.on('error', ignore);
}

/**
 * Exits when the parent that started us is gone. Ctrl-C reaches the whole process group at once; a child leaves
 * it to its parent, which ends it in order, so that it is not taken for a crash.
 */
export function exitWithParent(stop: () => Promise<void>): void {
  if (!process.send) return;
  outliveReader();
  // It died while we were starting.
  if (!process.connected) void stop().finally(() => process.exit(0));
  process.on('SIGINT', () => undefined);
  process.once('disconnect', () => void stop().finally(() => process.exit(0)));
}

/** Somebody else may hold its stderr open, a process that it started and left behind. */
const LAST_WORDS_MS = 1_000;

/** When it is gone and has been heard out. */
const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('close', () => resolve());
    child.once('exit', () => setTimeout(resolve, LAST_WORDS_MS).unref());
  });

function passOn({ stderr }: ChildProcess): void {
  outliveReader();
  const filter = new WithoutNotices();
  stderr?.on('data', (chunk: Buffer) => process.stderr.write(filter.pass(chunk)));
  stderr?.on('end', () => process.stderr.write(filter.rest()));
}

/** Starts `kvshare ARGS` and waits for its ready message. Its stderr is ours. */
export async function startChild(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<StartedChild> {
  const child = spawn(process.execPath, [...process.execArgv, entry(), ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  passOn(child);
  const exited = endOf(child);
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message) => {
      if (isReady(message)) resolve(message.port);
    });
    child.once('error', reject);
    void exited.then(() => {
      const code = child.exitCode ?? 'none';
      const reason = `kvshare ${args[0] ?? ''} stopped at start with exit code ${code}.`;
      reject(new KvShareError('child_failed', reason));
    });
  });
  return { process: child, port, exited };
}

/** SIGTERM, then SIGKILL after `graceMs`. */
export async function stopChild(child: StartedChild, graceMs = 5_000): Promise<void> {
  if (child.process.exitCode !== null || child.process.signalCode !== null) return;
  child.process.kill('SIGTERM');
  const timer = setTimeout(() => child.process.kill('SIGKILL'), graceMs);
  await child.exited;
  clearTimeout(timer);
}
