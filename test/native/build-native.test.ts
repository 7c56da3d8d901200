// `kvshare native` with every outside tool replaced by a script, so that failures can be arranged and
// nothing is downloaded. The real build is exercised by build-native.model.test.ts.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { buildNative, findNative } from '../../src/native/index.ts';
import { builds, nativeFolder, packageFolder, wheelsHere } from '../../src/native/recipe.ts';
import { fakeTools, outcome, root, type FakeTools } from '../support/fake-tools.ts';

let folder: string;
let cacheDir: string;
let tool: FakeTools['tool'];
let node: FakeTools['node'];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-native-'));
  cacheDir = join(folder, 'cache');
  ({ tool, node } = fakeTools(folder));
  writeBinding(true);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** As much of tfjs-node's source as our addition to it looks for. */
function writeBinding(isKnown: boolean): void {
  const binding = join(folder, 'binding');
  mkdirSync(binding, { recursive: true });
  const header = isKnown ? ' private:\n  TFJSBackend(napi_env env);' : 'class TFJSBackend {};';
  writeFileSync(join(binding, 'tfjs_backend.h'), header);
  const entry = '      {"getNumOfSavedModels", nullptr, GetNumOfSavedModels,';
  const end = '/**\n * Called by Node to cleanup our instance data,';
  writeFileSync(join(binding, 'tfjs_binding.cc'), `${end}\n${entry}\n`);
}

/** All tools there; `download` is what `pip download` does with its target folder in $dir. */
function allTools(download: string): void {
  for (const name of ['make', 'g++', 'npx']) tool(name, 'exit 0');
  const binding = 'node_modules/@tensorflow/tfjs-node/binding';
  tool('npm', `/bin/mkdir -p ${binding}; /bin/cp ${join(folder, 'binding')}/* ${binding}`);
  tool(
    'python3',
    `[ "$3" = --version ] && exit 0
    while [ "$1" != -d ]; do shift; done
    dir=$2
    ${download}`,
  );
}

const native = (backend = 'tensorflow') =>
  node(['src/main.ts', 'native', '--backend', backend, '--cache-dir', cacheDir]);
const left = (): string[] => readdirSync(join(cacheDir, 'native'));

async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await sleep(20);
}

/** Resolves when no such process is left; the test's time limit is the failure. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await sleep(20);
  }
}

describe('findNative and buildNative', () => {
  it('find a finished build without touching a tool', async () => {
    expect(await findNative(cacheDir, 'tensorflow')).toBeNull();
    const packageDir = packageFolder(nativeFolder(cacheDir, 'tensorflow'));
    mkdirSync(join(packageDir, 'lib', 'napi-v8'), { recursive: true });
    // A package whose binding is missing is no build.
    expect(await findNative(cacheDir, 'tensorflow')).toBeNull();
    writeFileSync(join(packageDir, 'lib', 'napi-v8', 'tfjs_binding.node'), '');
    expect(await findNative(cacheDir, 'tensorflow')).toBe(packageDir);
    expect(await buildNative({ build: 'tensorflow', cacheDir })).toEqual({
      packageDir,
      built: false,
    });
    expect(left()).toHaveLength(1);
  });
});

if (!wheelsHere('tensorflow')) {
  it('says in one line that this system has no recipe', async () => {
    await expect(buildNative({ build: 'tensorflow', cacheDir })).rejects.toMatchObject({
      code: 'native_build_failed',
      message: expect.stringMatching(/^[^\n]*Linux x64 and arm64[^\n]*$/),
    });
  });
}

/** The rest needs a system that has a recipe; the others have said so above. */
const onThisSystem = (suite: () => void): void => {
  if (wheelsHere('tensorflow')) describe('a build that cannot be finished', suite);
};

onThisSystem(() => {
  it('names every missing tool in one line', async () => {
    tool('make', 'exit 0');
    const { code, lines } = await outcome(native());
    expect(code).toBe(1);
    expect(lines).toEqual(['kvshare: native_build_failed: Building needs python3 with pip, g++.']);
    expect(existsSync(join(cacheDir, 'native'))).toBe(false);
  });

  it.each(builds.filter((build) => wheelsHere(build)))(
    'refuses a wheel for %s with another digest and leaves nothing behind',
    async (build) => {
      allTools('echo other > "$dir/tensorflow.whl"');
      const { code, lines } = await outcome(native(build));
      expect(code).toBe(1);
      expect(lines.at(-1)).toMatch(/^kvshare: native_build_failed: .*not the pinned one/);
      expect(left()).toEqual([]);
    },
  );

  it('refuses a source of tfjs-node that it does not know', async () => {
    writeBinding(false);
    allTools('exit 1');
    const { code, lines } = await outcome(native());
    expect(code).toBe(1);
    expect(lines.at(-1)).toBe(
      "kvshare: native_build_failed: tfjs-node's tfjs_backend.h is not as expected",
    );
    expect(left()).toEqual([]);
  });

  it('quotes the end of what a failing tool said, in one line', async () => {
    allTools('echo first >&2; echo no such host >&2; exit 3');
    const { lines } = await outcome(native());
    expect(lines.at(-1)).toMatch(/^kvshare: native_build_failed: .*3: first \| no such host$/);
    expect(left()).toEqual([]);
  });

  it('is swept by the next one when it was killed', async () => {
    const pidFile = join(folder, 'pid');
    allTools(`echo $$ > ${pidFile}; exec /bin/sleep 60`);
    const first = native();
    const ended = outcome(first);
    await appears(pidFile);
    expect(left().sort()).toEqual([expect.stringMatching(/^build-/), 'lock']);
    first.kill('SIGKILL');
    process.kill(Number(readFileSync(pidFile, 'utf8')));
    await ended;
    expect(left()).toHaveLength(2);
    allTools('exit 1');
    await outcome(native());
    expect(left()).toEqual([]);
  });

  it('ends its tool and cleans up when it is cancelled', async () => {
    const pidFile = join(folder, 'pid');
    // It is there with its content, or not at all.
    allTools(`echo $$ > ${pidFile}.new; /bin/mv ${pidFile}.new ${pidFile}; exec /bin/sleep 60`);
    const driver = join(folder, 'cancel.mts');
    writeFileSync(
      driver,
      `import { buildNative } from ${JSON.stringify(join(root, 'src/native/index.ts'))};
      const stop = new AbortController();
      process.on('SIGUSR2', () => stop.abort());
      const error = await buildNative({ build: 'tensorflow', cacheDir: ${JSON.stringify(cacheDir)}, signal: stop.signal })
        .catch((e) => e);
      process.stdout.write(error.code + ': ' + error.message);`,
    );
    const child = node([driver]);
    const ended = outcome(child);
    await appears(pidFile);
    child.kill('SIGUSR2');
    expect((await ended).lines).toEqual(['native_build_failed: The build was cancelled.']);
    expect(left()).toEqual([]);
    await gone(Number(readFileSync(pidFile, 'utf8')));
  });

  it('fetches nothing when it was cancelled before it began', async () => {
    const building = buildNative({ build: 'tensorflow', cacheDir, signal: AbortSignal.abort() });
    await expect(building).rejects.toMatchObject({ code: 'native_build_failed' });
    expect(left()).toEqual([]);
  });

  it('is waited for by a second one, which then builds in its turn', async () => {
    const [marks, go] = [join(folder, 'marks'), join(folder, 'go')];
    mkdirSync(marks);
    // Fails as soon as two are inside at once.
    allTools(`/bin/mkdir ${marks}/inside || exit 9
      while [ ! -e ${go} ]; do /bin/sleep 0.05; done
      /bin/rmdir ${marks}/inside; exit 4`);
    const both = [native(), native()].map(outcome);
    await appears(join(marks, 'inside'));
    await sleep(1_000);
    writeFileSync(go, '');
    const endings = await Promise.all(both);
    for (const { lines } of endings) expect(lines.at(-1)).toContain('exit code 4');
    expect(left()).toEqual([]);
  });
});
