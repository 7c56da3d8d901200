// The folder that holds one model's KV: pages, contexts, nothing else, for this user alone. Opening it sweeps away
// what a crash has left, and the folders of other models that no process has: their KV fits no request any more.
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readContextFile, type ContextRecord } from './context-file.ts';
import { isFileId, newFileId, TEMPORARY } from './files.ts';
import { ownFolder } from './folder-owner.ts';

const PAGE = '.page';
const CONTEXT = '.context';
/** Context files that are read at the same time. */
const AT_ONCE = 16;
const KEPT = /^kv-[0-9a-f]{32}$/;
/** On its way to be removed. */
const RETIRED = /^kv-[0-9a-f]{32}\.gone-[0-9a-f]{32}$/;
const ATTEMPTS = 5;
const RETRY_MS = 100;

export interface FoundContext {
  readonly id: string;
  readonly record: ContextRecord;
  /** Of its own file, without pages. */
  readonly bytes: number;
  readonly writtenAt: number;
}

export class DiskFolder {
  readonly #path: string;
  readonly #fingerprint: string;
  readonly #disown: () => Promise<void>;

  private constructor(path: string, fingerprint: string, disown: () => Promise<void>) {
    this.#path = path;
    this.#fingerprint = fingerprint;
    this.#disown = disown;
  }

  /** Throws when it cannot be had: not writable, somebody else's, in use. */
  static async open(parent: string, fingerprint: string): Promise<DiskFolder> {
    const hash = createHash('sha256').update(fingerprint).digest('hex').slice(0, 32);
    const path = join(parent, `kv-${hash}`);
    const disown = await takeFolder(path);
    await removeOtherModels(parent, `kv-${hash}`);
    return new DiskFolder(path, fingerprint, disown);
  }

  pagePath(id: string): string {
    return join(this.#path, `${id}${PAGE}`);
  }

  contextPath(id: string): string {
    return join(this.#path, `${id}${CONTEXT}`);
  }

  close(): Promise<void> {
    return this.#disown();
  }

  /** What is whole, oldest first; everything else is deleted, also pages that no context here names. */
  async sweep(): Promise<FoundContext[]> {
    const names = await readdir(this.#path);
    const pages = new Set(idsOf(names, PAGE));
    const found: FoundContext[] = [];
    const ids = idsOf(names, CONTEXT);
    for (let start = 0; start < ids.length; start += AT_ONCE) {
      const some = ids.slice(start, start + AT_ONCE).map((id) => this.#readContext(id, pages));
      for (const context of await Promise.all(some)) if (context) found.push(context);
    }
    const named = new Set(found.flatMap(({ record }) => record.views.map(({ page }) => page.id)));
    const orphans = [...pages].filter((id) => !named.has(id)).map((id) => this.pagePath(id));
    const temporary = names.filter((name) => name.endsWith(TEMPORARY));
    const leftovers = [...orphans, ...temporary.map((name) => join(this.#path, name))];
    await Promise.all(leftovers.map((path) => unlink(path).catch(() => undefined)));
    return found.sort((a, b) => a.writtenAt - b.writtenAt);
  }

  async #readContext(id: string, pages: ReadonlySet<string>): Promise<FoundContext | null> {
    const path = this.contextPath(id);
    try {
      const { mtimeMs } = await stat(path);
      const { record, bytes } = await readContextFile(path, this.#fingerprint);
      if (!record.views.every(({ page }) => pages.has(page.id))) throw new Error('pages are gone');
      return { id, record, bytes, writtenAt: mtimeMs };
    } catch {
      await unlink(path).catch(() => undefined);
      return null;
    }
  }
}

const idsOf = (names: readonly string[], ending: string): string[] =>
  names
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
    .filter(isFileId);

/** Made when it is not there. */
async function openFolder(path: string): Promise<() => Promise<void>> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const status = await lstat(path);
  const ownUid = process.getuid?.() ?? status.uid;
  if (!status.isDirectory() || status.uid !== ownUid) {
    throw new Error('it is not a folder of this user');
  }
  await chmod(path, 0o700);
  return ownFolder(path);
}

/** A runner of another model may be about to remove it: it has it for a moment, then it is gone. */
async function takeFolder(path: string): Promise<() => Promise<void>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openFolder(path);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** Whoever owns a folder may rename it, and a folder of another name is nobody's any more. */
async function removeOtherModels(parent: string, own: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const path = join(parent, name);
    // A folder that cannot be removed costs space, nothing else.
    if (RETIRED.test(name)) await removeFolder(path).catch(() => undefined);
    else if (name !== own && KEPT.test(name)) await retireFolder(path).catch(() => undefined);
  }
}

const removeFolder = (path: string): Promise<void> => rm(path, { recursive: true, force: true });

/** Rejects when a process has it. */
async function retireFolder(path: string): Promise<void> {
  const disown = await ownFolder(path);
  const gone = `${path}.gone-${newFileId()}`;
  try {
    await rename(path, gone);
  } catch (error) {
    await disown();
    throw error;
  }
  await removeFolder(gone);
}
