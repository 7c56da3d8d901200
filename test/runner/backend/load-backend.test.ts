import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findNative } from '../../../src/native/index.ts';
import { showsNoGpu } from '../../../src/runner/backend/gpu-devices.ts';
import { loadBackend } from '../../../src/runner/backend/index.ts';
import { writeFakeBuild } from '../../support/fake-build.ts';

let cacheDir: string;
beforeAll(() => {
  cacheDir = mkdtempSync(join(tmpdir(), 'kvshare-backend-'));
});
afterAll(() => {
  rmSync(cacheDir, { recursive: true });
});

const script = new URL('../../support/multiply-on.ts', import.meta.url).pathname;
const multiplyOn = (name: string, ...more: string[]) =>
  JSON.parse(
    execFileSync(process.execPath, ['--import', 'tsx', script, name, cacheDir, ...more], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as {
    name: string;
    description: string;
    product: number[];
    tried: { name: string; reason: string }[];
  };

const noGpu = showsNoGpu() ? 'this machine shows no GPU' : 'TensorFlow found no GPU device';

describe('loadBackend', () => {
  it.each(['cpu', 'wasm'])('multiplies on %s', (name) => {
    expect(multiplyOn(name)).toMatchObject({ name, product: [11], tried: [] });
  });

  it('goes down from the best to the first that works, and says why not the others', () => {
    const { name, product, tried } = multiplyOn('auto');
    expect(product).toEqual([11]);
    // Nothing was built in this cache and no package brings a library: wasm, unless this machine has a GPU.
    if (name === 'wasm') {
      expect(tried.map((t) => t.name)).toEqual(['tensorflow-gpu', 'tensorflow', 'webgpu']);
      expect(tried[1]!.reason).toContain('kvshare native');
    } else expect(['tensorflow-gpu', 'tensorflow', 'webgpu']).toContain(name);
  });

  // These hold where no GPU and no native build is; with one, forcing it must work instead.
  it.each(['tensorflow-gpu', 'webgpu', 'tensorflow'] as const)(
    'runs %s or fails with one line, never on something else',
    async (name) => {
      const result = await loadBackend({ requested: name, cacheDir, allowBuild: false }).then(
        (backend) => backend.name,
        (error: unknown) => error as { code: string; message: string },
      );
      if (typeof result === 'string') expect(result).toBe(name);
      else {
        expect(result.code).toBe('backend_unavailable');
        expect(result.message).toMatch(new RegExp(`^Backend ${name} cannot run here: [^\\n]+$`));
      }
    },
  );

  it('computes on the CPU in the place of a GPU only when that is asked for', async () => {
    writeFakeBuild(cacheDir, 'tensorflow-gpu');
    const requested = { requested: 'tensorflow-gpu', cacheDir, allowBuild: false } as const;
    await expect(loadBackend(requested)).rejects.toMatchObject({
      message: 'Backend tensorflow-gpu cannot run here: TensorFlow found no GPU device',
    });
    const asked = multiplyOn('tensorflow-gpu', 'cpu');
    expect(asked).toMatchObject({ name: 'tensorflow-gpu', product: [11] });
    expect(asked.description).toMatch(/on the CPU$/);
    // Where there is nothing better, that of the GPU serves as that of the CPU, and says so.
    const auto = multiplyOn('auto', 'cpu');
    expect(auto).toMatchObject({ name: 'tensorflow', product: [11] });
    expect(auto.tried).toEqual([{ name: 'tensorflow-gpu', reason: noGpu }]);
    expect(auto.description).toMatch(/of tensorflow-gpu, built here, on the CPU$/);
  });

  it('takes the build for the CPU where there is no GPU, whatever else there is', () => {
    writeFakeBuild(cacheDir, 'tensorflow-gpu');
    writeFakeBuild(cacheDir, 'tensorflow');
    const { description, tried } = multiplyOn('auto');
    // With a GPU to look for, the library that looked has to do: one a process.
    const build = showsNoGpu() ? 'tensorflow' : 'tensorflow-gpu';
    expect(description).toContain(`of ${build}, built here, on the CPU`);
    expect(tried).toEqual([{ name: 'tensorflow-gpu', reason: noGpu }]);
    rmSync(join(cacheDir, 'native'), { recursive: true });
  });

  it('goes on from a build for a GPU that does not load', () => {
    writeFakeBuild(cacheDir, 'tensorflow-gpu', 'throw new Error("no CUDA");');
    const { name, tried } = multiplyOn('auto');
    // As where nothing is built, unless npm brought a library.
    if (name !== 'tensorflow') expect(tried[1]!.reason).toContain('kvshare native');
    rmSync(join(cacheDir, 'native'), { recursive: true });
  });

  it('finds no native build in an empty cache', async () => {
    expect(await findNative(cacheDir, 'tensorflow')).toBeNull();
  });
});
