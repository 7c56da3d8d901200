// TensorFlow's C library and headers, out of its Python wheel, and NVIDIA's libraries out of theirs: downloaded by pip,
// compared with the pinned digest, streamed to disk; each wheel is deleted before the next one comes.
import { rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipDownload, runTool, sha256File, type OnProgress } from '../provisioning/index.ts';
import { recipe } from './recipe.ts';
import type { Wheel } from './wheel.ts';

export interface FetchOptions {
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

const EXTRACT = `
import os, re, shutil, sys, zipfile
wheel, deps = sys.argv[1], sys.argv[2]
libraries = ${JSON.stringify(libraries)}
# TensorFlow looks for NVIDIA's libraries in ../nvidia/NAME/lib.
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        base = os.path.basename(name)
        if name.startswith('tensorflow/include/') and base and '..' not in name:
            target = os.path.join(deps, 'include', name[len('tensorflow/include/'):])
        elif os.path.dirname(name) == 'tensorflow' and base in libraries:
            target = os.path.join(deps, 'lib', base)
        elif re.fullmatch('nvidia/[a-z_]+/lib/[^/]+[.]so[^/]*', name):
            target = os.path.join(deps, name)
        else:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(name) as source, open(target, 'wb') as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
`;

async function downloadWheel(work: string, wheel: Wheel, options: FetchOptions): Promise<string> {
  const { onProgress = () => undefined, signal } = options;
  const target = ['--python-version', recipe.pythonVersion, '--platform', wheel.platform];
  const { project, version = recipe.tensorflow } = wheel;
  const path = await pipDownload({
    folder: join(work, 'wheel'),
    requirement: `${project}==${version}`,
    extraArgs: ['--only-binary=:all:', ...target],
    phase: `downloading ${project} ${version}`,
    totalBytes: wheel.bytes,
    onProgress,
    signal,
  });
  if ((await sha256File(path)) !== wheel.sha256) {
    throw new Error(`the wheel of ${project} is not the pinned one (sha256 differs)`);
  }
  return path;
}

/** Fills `deps/include` and `deps/lib` as tfjs-node's own installer would. */
export async function fetchLibrary(
  work: string,
  deps: string,
  wheels: readonly Wheel[],
  options: FetchOptions,
): Promise<void> {
  const { onProgress = () => undefined, signal } = options;
  for (const wheel of wheels) {
    const path = await downloadWheel(work, wheel, options);
    onProgress({ phase: `unpacking ${wheel.project}` });
    await runTool({ command: 'python3', args: ['-c', EXTRACT, path, deps], signal });
    await rm(dirname(path), { recursive: true });
  }
  const lib = join(deps, 'lib');
  await symlink(libraries[0], join(lib, 'libtensorflow.so.2'));
  await symlink(libraries[0], join(lib, 'libtensorflow.so'));
  await symlink(libraries[1], join(lib, 'libtensorflow_framework.so'));
  await dropSymbols(lib, signal);
}

/** What only a debugger reads is a quarter of the library. Without binutils it stays. */
async function dropSymbols(lib: string, signal: AbortSignal | undefined): Promise<void> {
  const args = ['--strip-unneeded', ...libraries.map((name) => join(lib, name))];
  await runTool({ command: 'strip', args, signal }).catch((error: unknown) => {
    if ((error as Error).message !== 'strip is not installed') throw error;
  });
}
