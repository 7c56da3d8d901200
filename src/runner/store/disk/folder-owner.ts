// One process at a time has a folder. The file `owner` names it by process id and, where Linux tells it, start time:
// in a container the next process often gets the id of the one that died.
import { constants } from 'node:fs';
import { open, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const ATTEMPTS = 3;
const WRITTEN_WITHIN_MS = 2_000;

/** Ticks since boot; empty where there is no /proc, or no such process. */
async function startTimeOf(pid: number | 'self'): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name in parentheses may hold spaces; 20 fields behind it comes the start time.
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Whether the process that this folder names is still there. */
async function isOwned(folder: string): Promise<boolean> {
  const path = join(folder, 'owner');
  const text = await readFile(path, 'latin1').catch(() => null);
  if (text === null) return false;
  // Somebody has made it and is about to write.
  if (text === '')
    return (
      Date.now() - (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs < WRITTEN_WITHIN_MS
    );
  const [id = '', started = ''] = text.split(' ');
  const pid = Number(id);
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return started === (await startTimeOf(pid));
}

/** Throws when another process has it. */
export async function ownFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'owner');
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const file = await open(path, flags, 0o600);
      await file.writeFile(`${process.pid} ${await startTimeOf('self')}`);
      await file.close();
      return () => unlink(path).catch(() => undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isOwned(folder)) break;
    await unlink(path).catch(() => undefined);
  }
  throw new Error('another process has this folder');
}
