// `kvshare native --backend webgpu` with npm replaced by a script. The real packages are used by
// test/runner/backend/webgpu.test.ts.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findWebgpu } from '../../src/native/index.ts';
import { fakeTools, outcome, type FakeTools } from '../support/fake-tools.ts';

let folder: string;
let cacheDir: string;
let tools: FakeTools;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-webgpu-'));
  cacheDir = join(folder, 'cache');
  tools = fakeTools(folder);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const fetching = (backend = 'webgpu') =>
  outcome(tools.node(['src/main.ts', 'native', '--backend', backend, '--cache-dir', cacheDir]));

describe('kvshare native --backend webgpu', () => {
  it('refuses an addon with another digest and leaves nothing behind', async () => {
    const here =
      process.platform === 'darwin' ? 'darwin-universal' : `${process.platform}-${process.arch}`;
    const dist = `node_modules/webgpu/dist/${here}`;
    tools.tool('npm', `/bin/mkdir -p ${dist} && echo other > ${dist}/dawn.node`);
    const { code, lines } = await fetching();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/^kvshare: native_build_failed: .*not the pinned one/);
    expect(readdirSync(join(cacheDir, 'webgpu'))).toEqual([]);
    expect(await findWebgpu(cacheDir)).toBeNull();
  });

  it('quotes what npm said last, in one line', async () => {
    tools.tool('npm', 'echo first >&2; echo no such host >&2; exit 3');
    const { code, lines } = await fetching();
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatch(/^kvshare: native_build_failed: .*3: first \| no such host$/);
  });

  it('has nothing to get for backends that come with npm install', async () => {
    const { code, lines } = await fetching('wasm');
    expect(code).toBe(1);
    expect(lines).toEqual(['kvshare: config_invalid: --backend wasm comes with npm install.']);
    expect(existsSync(cacheDir)).toBe(false);
  });
});
