// WebGPU through Dawn, on a device made of software where there is no other: the engine as a whole against the same
// engine on plain JavaScript, and what happens where there is no GPU or it fails.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { cacheDir } from '../../support/golden.ts';
import type { Served } from '../../support/serve-on.ts';
import { softwareGpu } from '../../support/software-gpu.ts';
import { writeTinyFile } from '../../support/tiny-file.ts';

const serveOn = new URL('../../support/serve-on.ts', import.meta.url).pathname;
const failOn = new URL('../../support/fail-on-webgpu.ts', import.meta.url).pathname;
const loseDevice = new URL('../../support/lose-device.ts', import.meta.url).pathname;
const kvshare = new URL('../../../src/main.ts', import.meta.url).pathname;
const { missing, env } = await softwareGpu();

async function run<Result>(script: string, ...args: string[]): Promise<Result> {
  const command = ['--import', 'tsx', script, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    env,
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.split('\n').at(-1)!) as Result;
}

const runner = (...args: string[]) => {
  const main = ['--import', 'tsx', kvshare, 'runner', '--port', '0', ...args];
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, main, { env, encoding: 'utf8' });
  return { status, last: stderr.trim().split('\n').at(-1), ms: performance.now() - start };
};

if (missing !== null) {
  it.skip(`webgpu is not tested: ${missing}`, () => undefined);
} else {
  describe('the engine on webgpu', () => {
    let here: Served;
    let there: Served;
    beforeAll(async () => {
      [here, there] = (await Promise.all(
        ['webgpu', 'cpu'].map((name) => run<Served>(serveOn, name, cacheDir)),
      )) as [Served, Served];
    });

    it('says what computes', () => {
      expect(here.description).toMatch(/^WebGPU through Dawn on a software adapter on the CPU, /);
    });

    it('gives the answers and receipts that plain JavaScript gives', () => {
      expect(Object.keys(here.answers)).toEqual(Object.keys(there.answers));
      for (const [label, { tokens, receipt, end }] of Object.entries(there.answers)) {
        const { timings: _, ...counts } = receipt;
        expect([label, here.answers[label]]).toMatchObject([
          label,
          { tokens, end, receipt: counts },
        ]);
      }
      expect(here.answers['moved KV and recomputed ranges']!.receipt).toMatchObject({
        exactTokens: 6,
        importedTokens: 22,
        degraded: null,
      });
    });

    it('reads logits and scores from the GPU and nothing else, the same as there', () => {
      for (const [label, reads] of Object.entries(there.reads)) {
        const own = here.reads[label]!;
        expect([label, own.map(({ length }) => length)]).toEqual([
          label,
          reads.map(({ length }) => length),
        ]);
        const gaps = reads.flatMap((numbers, i) =>
          numbers.map((number, at) => Math.abs(number - own[i]![at]!)),
        );
        expect(Math.max(...gaps)).toBeLessThan(1e-4);
      }
      // The logits of the prompt and of two tokens more: 50 numbers each.
      expect(here.reads['cold, two chunks']!.map(({ length }) => length)).toEqual([50, 50, 50]);
    });

    it('reads KV when it moves to host memory, and brings it back exactly', () => {
      expect(here.movedNumbers).toBe(here.movedBytes / 4);
      expect(here.movedBytes).toBe(there.movedBytes);
      // The first prompt's page at least: 40 tokens.
      expect(here.movedBytes).toBeGreaterThanOrEqual(40 * 384);
      expect(here.answers['back from host memory']!.receipt).toMatchObject({
        exactTokens: 39,
        degraded: null,
      });
    });

    it('leaves no tensor behind', () => {
      expect(here.leaks).toHaveLength(4);
      for (const leak of here.leaks) expect(leak).toEqual({ tensors: 0, bytes: 0 });
    });
  });

  it('gives memory back, and no number after a failure', async () => {
    const report = await run<Record<string, unknown>>(failOn, cacheDir);
    const failure = expect.stringMatching(/^WebGPU failed: [^\n]+$/);
    expect(report).toEqual({
      freeBytes: expect.any(Number),
      product: new Array<number>(16).fill(4),
      hugeRead: failure,
      laterRead: failure,
      failed: failure,
    });
    // 320 MiB came and went.
    expect(report['freeBytes']).toBeLessThanOrEqual(256 * 2 ** 20);
    expect(report['freeBytes']).toBeGreaterThan(2 ** 20);
  });

  it('ends the runner when the device is lost, so that another one can be started', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvshare-webgpu-'));
    const model = join(folder, 'tiny.gguf');
    writeTinyFile(model, 512);
    const modules = ['tsx', loseDevice].flatMap((name) => ['--import', name]);
    const flags = ['--backend', 'webgpu', '--without-gpu', 'cpu', '--port', '0', '--model', model];
    const main = [...modules, kvshare, 'runner', ...flags];
    const child = spawn(process.execPath, main, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.includes('kvshare runner on')) return void (stderr += chunk.toString());
      stderr += chunk.toString();
      if (stderr.includes('kvshare runner on')) child.kill('SIGUSR2');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    rmSync(folder, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toContain('WebGPU failed: the device is lost');
  });

  // Security test N4.
  it('never serves on the CPU in the place of a GPU', () => {
    const { status, last, ms } = runner('--backend', 'webgpu');
    expect(status).toBe(1);
    expect(last).toMatch(
      /^kvshare: backend_unavailable: Backend webgpu cannot run here: WebGPU found no GPU, only .+, which computes on the CPU$/,
    );
    expect(ms).toBeLessThan(30_000);
  });
}

it('says in one line that its packages are not here', () => {
  const empty = mkdtempSync(join(tmpdir(), 'kvshare-webgpu-'));
  try {
    const { status, last } = runner('--backend', 'webgpu', '--cache-dir', empty);
    expect(status).toBe(1);
    expect(last).toMatch(/^kvshare: backend_unavailable: .*`kvshare native --backend webgpu`/);
  } finally {
    rmSync(empty, { recursive: true });
  }
});
