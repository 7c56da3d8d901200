// `kvshare bench overhead|load|peers` as a user calls them: real processes, few requests.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LoadReport } from '../../src/bench/load/load.ts';
import type { OverheadReport } from '../../src/bench/overhead/overhead.ts';
import type { PeersReport } from '../../src/bench/peers/peers.ts';
import { findLlamaServer } from '../../src/llama-server/index.ts';
import { root } from '../support/fake-tools.ts';
import { cacheDir } from '../support/golden.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvshare-bench-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the suite
async function bench<T>(suite: string, ...args: string[]): Promise<{ report: T; table: string }> {
  const out = join(folder, `${suite}.json`);
  const main = ['--import', 'tsx', 'src/main.ts', 'bench', suite, '--out', out, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, main, { cwd: root });
  return { report: JSON.parse(readFileSync(out, 'utf8')) as T, table: stdout };
}

describe('bench overhead', () => {
  it('times requests and events beside the same ones without a sidecar', async () => {
    const { report, table } = await bench<OverheadReport>('overhead', '--requests', '8');
    expect(report).toMatchObject({ suite: 'overhead', requests: 8 });
    expect(Object.values(report.outcomes).reduce((a, b) => a + b)).toBe(8);
    // The last ones find what the first ones stored.
    expect(report.outcomes['reused']).toBeGreaterThan(0);
    expect(report.planMs.p50).toBeGreaterThan(0.1);
    expect(report.addedFirstByteMs.p50).toBeGreaterThan(0);
    expect(report.addedFirstByteMs.p50).toBeLessThan(100);
    expect(Math.abs(report.addedPerEventMs.p50)).toBeLessThan(20);
    expect(report.directMs.perEvent.p50).toBeGreaterThan(0);
    for (const { addedFirstByteMs, plainFirstByteMs } of Object.values(report.mountedBypass)) {
      expect(plainFirstByteMs.p50).toBeGreaterThan(0.01);
      expect(Math.abs(addedFirstByteMs.p50)).toBeLessThan(20);
    }
    expect(Object.keys(report.mountedBypass)).toEqual(['otherPath', 'bypass', 'policyOff']);
    expect(table).toContain('added to the first byte');
  }, 120_000);
});

describe('bench load', () => {
  const line = (at: number, tenant: string, content: string): string =>
    JSON.stringify({ id: `r${at}`, tenant, user: 'u', messages: [{ role: 'user', content }] });
  const text = Array.from({ length: 5 }, (_, i) => `Rule ${i} of ward ${i * 7} is read.`).join(' ');

  it('replays a trace in every combination of reuse and scheduler', async () => {
    const [trace, model] = [join(folder, 'own.jsonl'), join(folder, 'tiny.gguf')];
    writeTinyFile(model, 1024);
    const lines = ['Ann.', 'Benjamin.', 'Cleo.', 'never asked'].map((card, at) =>
      line(at, 'north', `${card} ${text}`),
    );
    writeFileSync(trace, lines.join('\n'));
    const { report, table } = await bench<LoadReport>(
      'load',
      ...['--trace', trace, '--requests', '3', '--concurrency', '2', '--kv-bytes', '64MiB'],
      ...['--model', model, '--backend', 'cpu'],
    );
    expect(report).toMatchObject({ suite: 'load', trace: 'own', requests: 3, newTokens: 16 });
    expect(
      report.runs.map(({ concurrency, reuse, scheduler }) => [concurrency, reuse, scheduler]),
    ).toEqual([
      [2, 'off', 'fifo'],
      [2, 'off', 'reuse-aware'],
      [2, 'on', 'fifo'],
      [2, 'on', 'reuse-aware'],
    ]);
    for (const run of report.runs) {
      expect(run.requestsPerSecond).toBeGreaterThan(0);
      expect(run.ttftMs.p95).toBeGreaterThanOrEqual(run.ttftMs.p50);
      expect(run.hitRate > 0).toBe(run.reuse === 'on');
      expect(run.againstFifo === undefined).toBe(run.scheduler === 'fifo');
    }
    expect(report.runs[3]!.againstFifo!.waitRatioMax).toBeGreaterThan(0);
    expect(table.trim().split('\n')).toHaveLength(6);
  }, 180_000);
});

const llamaServer = await findLlamaServer(cacheDir);
if (llamaServer === null) {
  it.skip('bench peers: no llama.cpp server here; `kvshare llama-server` builds one', () =>
    undefined);
} else {
  it('bench peers: gets the same prompts answered by both', async () => {
    const { report, table } = await bench<PeersReport>(
      'peers',
      ...['--llama-server', llamaServer, '--tokens', '400', '--repeat', '1'],
      ...['--decode-tokens', '24'],
      ...['--families', 'same-doc-new-question,shifted-prefix'],
    );
    const [same, shifted] = report.cases;
    // The peer keeps a prefix; behind another beginning it has at most what it can shift.
    expect(same!.peerCachedTokens).toBeGreaterThan(300);
    expect(Object.keys(shifted!.bySlots)).toEqual(['1', '4']);
    expect(shifted!.ratio).toBeCloseTo(shifted!.peerMs / shifted!.kvshareMs);
    for (const speed of Object.values(report.prefill)) expect(speed).toBeGreaterThan(0);
    expect(report.decode.peerTokensPerSecond.eight).toBeGreaterThan(1);
    expect(table).toContain('bare multiplications');
    // Its threads wait for each other: slow on a machine that does other things.
  }, 600_000);
}
