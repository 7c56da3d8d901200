// Files that appear whole or not at all, and are read only when they are ours, regular, and exactly as long as they
// must be: nothing of a size that a file merely claims is ever allocated. Names are hexadecimal.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

export const TEMPORARY = '.tmp';

export const newFileId = (): string => randomBytes(16).toString('hex');

export const isFileId = (text: unknown): text is string =>
  typeof text === 'string' && /^[0-9a-f]{32}$/.test(text);

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Readable by nobody else; flushed before it gets its name. */
export async function publish(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const beside = `${path}${TEMPORARY}`;
  const file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await unlink(beside).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

const ownUid = process.getuid?.();

/** Throws unless it is a regular file of this user; `size` is what it has. */
export async function openOwn(path: string): Promise<{ file: FileHandle; size: number }> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  // Not blocking: it may be a pipe that nobody writes to.
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new Error('not a regular file');
    if (ownUid !== undefined && status.uid !== ownUid) throw new Error('owned by another user');
    return { file, size: status.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Throws when the file ends before. */
export async function readExactly(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done);
    if (bytesRead === 0) throw new Error('the file is too short');
    done += bytesRead;
  }
  return bytes;
}
