// Folders that are written to: who may, who else may read, and how much room there is.
import { randomUUID } from 'node:crypto';
import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../../config.ts';
import { findingsOf, gib, type Finding } from './finding.ts';

/** Model, word vectors, native backend and what building it takes for a while. */
const CACHE_BYTES = 2 * 2 ** 30;

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (found || dirname(path) === path) return path;
  return nearestFolder(dirname(path));
}

/** Null = a file could be written there. */
async function whyNotWritable(folder: string): Promise<string | null> {
  const path = join(folder, `.kvshare-doctor-${randomUUID()}`);
  try {
    await writeFile(path, 'x', { flag: 'wx', mode: 0o600 });
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

interface FolderNeed {
  readonly check: string;
  readonly path: string;
  readonly flag: string;
  readonly bytes: number;
  /** What is in it can be turned back into prompts. */
  readonly isPrivate: boolean;
}

async function checkFolder({ check, path, flag, bytes, isPrivate }: FolderNeed): Promise<Finding> {
  const folder = findingsOf(check);
  const nearest = await nearestFolder(path);
  const problem = await whyNotWritable(nearest);
  if (problem !== null) {
    return folder.fail(`${nearest} cannot be written (${problem})`, `chown it, or set ${flag} DIR`);
  }
  const { bavail, bsize } = await statfs(nearest);
  const free = bavail * bsize;
  const mode = nearest === path ? (await stat(path)).mode & 0o077 : 0;
  if (isPrivate && mode !== 0) return folder.warn(`${path} is open to others`, `chmod 700 ${path}`);
  const says = `${path}, ${gib(free)} free`;
  if (free >= bytes) return folder.ok(says);
  return folder.warn(`${says}, ${gib(bytes)} may be needed`, `make room, or set ${flag} DIR`);
}

export async function checkFolders({ cacheDir, kv }: Settings): Promise<Finding[]> {
  const cache = { check: 'cache', path: cacheDir, flag: '--cache-dir' };
  const disk = { check: 'kv-disk', path: kv.diskFolder, flag: '--kv-disk-dir' };
  return Promise.all([
    checkFolder({ ...cache, bytes: CACHE_BYTES, isPrivate: false }),
    ...(kv.diskBytes > 0 ? [checkFolder({ ...disk, bytes: kv.diskBytes, isPrivate: true })] : []),
  ]);
}
