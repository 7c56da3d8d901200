// One Python package (a wheel, or a source distribution where `extraArgs` ask for one) into a folder, with progress.
// pip writes to TMPDIR first: only there does the file grow, and a small /tmp need not hold it.
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, type OnProgress } from './run-tool.ts';

export interface PipDownload {
  /** Created; holds the file afterwards. */
  readonly folder: string;
  /** Such as `name==1.2`. */
  readonly requirement: string;
  readonly extraArgs?: readonly string[];
  readonly phase: string;
  readonly totalBytes: number;
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** The file's path. Throws Error with one line. */
export async function pipDownload(options: PipDownload): Promise<string> {
  const { folder, requirement, extraArgs = [], phase, totalBytes, onProgress, signal } = options;
  const partial = join(folder, 'partial');
  await mkdir(partial, { recursive: true });
  onProgress({ phase, bytes: 0, totalBytes });
  const pip = ['python3', '-m', 'pip', 'download', '--quiet', '--no-cache-dir', '--no-deps'];
  await runTool({
    command: 'env',
    args: [`TMPDIR=${partial}`, ...pip, ...extraArgs, '-d', folder, requirement],
    signal,
    watch: {
      folder,
      // pip unpacks a source distribution to look into it.
      onBytes: (bytes) => onProgress({ phase, bytes: Math.min(bytes, totalBytes), totalBytes }),
    },
  });
  const name = (await readdir(folder)).find((entry) => /\.(whl|tar\.gz)$/.test(entry));
  if (name === undefined) throw new Error('pip left no package');
  return join(folder, name);
}
