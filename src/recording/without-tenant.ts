// A recording without what one tenant has sent: written beside the file and put in its place, so that a crash leaves
// the old one or the new one. Line by line: recordings may be larger than memory.
import { createReadStream } from 'node:fs';
import { open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseLine } from './recorded-request.ts';

const isOf = (line: string, tenant: string, where: string): boolean => {
  try {
    return parseLine(line, where).tenant === tenant;
  } catch {
    // Half a line of a crash, or another version: nobody can tell whose it is, so it goes as well.
    return true;
  }
};

async function copy(path: string, to: FileHandle, tenant: string): Promise<number> {
  let gone = 0;
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Infinity,
  })) {
    if (isOf(line, tenant, path)) gone++;
    else await to.write(`${line}\n`);
  }
  return gone;
}

/** How many lines went. A file that is not there has none. */
export async function withoutTenant(given: string, tenant: string): Promise<number> {
  // A link stays one.
  const path = await realpath(given).catch(() => null);
  // Nor is a device a place where lines stay.
  if (path === null || !(await stat(path)).isFile()) return 0;
  const beside = `${path}.${process.pid}.new`;
  const to = await open(beside, 'w', 0o600);
  try {
    const gone = await copy(path, to, tenant);
    await to.sync();
    await rename(beside, path);
    return gone;
  } catch (error) {
    await unlink(beside);
    throw error;
  } finally {
    await to.close();
  }
}
