// One process at a time fills a cache folder. The lock is a folder (mkdir is atomic everywhere) that names
// its owner; a lock whose owner is dead is broken.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 250;
/** A lock folder without an owner this long belongs to somebody who died between two lines. */
const NAMELESS_POLLS = 8;

async function ownerIsAlive(lock: string): Promise<boolean | null> {
  const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => NaN));
  if (!Number.isInteger(pid)) return null;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Runs `work` while holding the lock folder `lock`. */
export async function withFolderLock<T>(
  lock: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let nameless = 0;
  for (;;) {
    try {
      await mkdir(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const alive = await ownerIsAlive(lock);
    nameless = alive === null ? nameless + 1 : 0;
    if (alive === false || nameless > NAMELESS_POLLS)
      await rm(lock, { recursive: true, force: true });
    else await sleep(POLL_MS, undefined, signal && { signal });
  }
  try {
    await writeFile(join(lock, 'pid'), `${process.pid}`);
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}
