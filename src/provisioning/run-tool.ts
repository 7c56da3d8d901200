// Runs an outside tool (npm, pip, node-gyp) and waits; on failure the error carries the end of what the
// tool said. With `watch`, reports how the folder it writes to grows.
import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface Progress {
  readonly phase: string;
  readonly bytes?: number;
  readonly totalBytes?: number | null;
}
export type OnProgress = (progress: Progress) => void;

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
  /** Called twice a second with the bytes in `folder`. */
  readonly watch?: { readonly folder: string; readonly onBytes: (bytes: number) => void };
}

const TAIL_CHARACTERS = 600;
const WATCH_MS = 500;

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => null)));
  return sizes.reduce((sum, s) => sum + (s?.isFile() ? s.size : 0), 0);
}

/** Throws Error with one line: the tool and the end of its output. */
export async function runTool({ command, args, cwd, signal, watch }: ToolRun): Promise<void> {
  const child = spawn(command, args, {
    ...(cwd !== undefined && { cwd }),
    ...(signal && { signal }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let tail = '';
  const listen = (chunk: Buffer): void => {
    tail = (tail + chunk.toString('utf8')).slice(-TAIL_CHARACTERS);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const timer =
    watch && setInterval(() => void folderBytes(watch.folder).then(watch.onBytes), WATCH_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`exit code ${code ?? 'none'}: ${oneLine(tail)}`);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(
      missing ? `${command} is not installed` : `${command} ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  } finally {
    clearInterval(timer);
  }
}

const oneLine = (text: string): string =>
  text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' | ')
    .slice(-300);
