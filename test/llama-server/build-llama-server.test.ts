// `kvshare llama-server` with every outside tool replaced by a script. That the real recipe builds a server that works
// is seen by peers.model.test.ts where one was built.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { buildLlamaServer, findLlamaServer } from '../../src/llama-server/index.ts';
import { llamaServerFolder, serverIn } from '../../src/llama-server/recipe.ts';
import { fakeTools, outcome, type FakeTools } from '../support/fake-tools.ts';

let folder: string;
let cacheDir: string;
let tools: FakeTools;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-llama-'));
  cacheDir = join(folder, 'cache');
  tools = fakeTools(folder);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const build = (...args: string[]) =>
  outcome(tools.node(['src/main.ts', 'llama-server', '--cache-dir', cacheDir, ...args]));

describe('kvshare llama-server', () => {
  it('finds a finished build without touching a tool', async () => {
    expect(await findLlamaServer(cacheDir)).toBeNull();
    const path = serverIn(llamaServerFolder(cacheDir));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    // What cannot be run is no server.
    expect(await findLlamaServer(cacheDir)).toBeNull();
    rmSync(path);
    writeFileSync(path, '', { mode: 0o755 });
    expect(await findLlamaServer(cacheDir)).toBe(path);
    expect(await buildLlamaServer({ cacheDir, jobs: 1 })).toEqual({ path, built: false });
  });

  it('says in one line which tools are missing, and what is wrong with a flag', async () => {
    tools.tool('make', 'exit 0');
    const { code, lines } = await build();
    expect(code).toBe(1);
    expect(lines).toEqual([
      'kvshare: native_build_failed: Building needs python3 with pip, cmake, g++.',
    ]);
    expect(existsSync(cacheDir)).toBe(false);
    expect((await build('--jobs', 'all')).lines).toEqual([
      expect.stringMatching(/^kvshare: config_invalid: --jobs must be a number/),
    ]);
  });

  it('refuses a source with another digest and leaves nothing behind', async () => {
    for (const name of ['make', 'g++', 'cmake']) tools.tool(name, 'exit 0');
    tools.tool(
      'python3',
      `[ "$3" = --version ] && exit 0
      while [ "$1" != -d ]; do shift; done
      echo other > "$2/llama_cpp_python-0.3.36.tar.gz"`,
    );
    const { code, lines } = await build();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/^kvshare: native_build_failed: .*not the pinned one/);
    expect(readdirSync(dirname(llamaServerFolder(cacheDir)))).toEqual([]);
  });
});
