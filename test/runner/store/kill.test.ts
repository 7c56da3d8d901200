// A process killed while it writes (security test R13): 3 times, 200 with KVSHARE_FULL=1.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { loadBackend } from '../../../src/runner/backend/index.ts';
import { seededRandom } from '../../../src/runner/engine/sampler.ts';
import { DiskStore } from '../../../src/runner/store/disk/disk-store.ts';
import { KvStore } from '../../../src/runner/store/kv-store.ts';
import { tinyLayout, worstError } from '../../support/kept-kv.ts';
import { writerTokens } from '../../support/writer-tokens.ts';

const KILLS = process.env['KVSHARE_FULL'] === '1' ? 200 : 3;
const script = fileURLToPath(new URL('../../support/store-writer.ts', import.meta.url));

/** When each seed was stored; the process is dead. */
async function writeAndDie(
  folder: string,
  first: number,
  lifeMs: number,
): Promise<{ storedAt: Map<number, number>; diedAt: number }> {
  const args = ['--import', 'tsx', script, folder, `${first}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const storedAt = new Map<number, number>();
  let diedAt = 0;
  for await (const line of createInterface(child.stdout)) {
    if (storedAt.size === 0) {
      setTimeout(() => {
        diedAt = performance.now();
        child.kill('SIGKILL');
      }, lifeMs);
    }
    storedAt.set(Number(line), performance.now());
  }
  await exited;
  return { storedAt, diedAt };
}

it(
  'leaves nothing damaged, nothing half, and all but the last second',
  async () => {
    const requested = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
    const { tf } = await loadBackend(requested);
    const folder = mkdtempSync(join(tmpdir(), 'kvshare-kill-'));
    const random = seededRandom(3);
    const known = new Set<number>();
    let next = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { storedAt, diedAt } = await writeAndDie(folder, next, 300 + random() * 1_500);
      for (const [seed, at] of storedAt) if (diedAt - at > 1_000) known.add(seed);
      next = Math.max(...storedAt.keys()) + 1;

      const start = performance.now();
      const problems: string[] = [];
      const onProblem = (what: string): void => void problems.push(what);
      const disk = await DiskStore.open({ folder, fingerprint: 'writer', onProblem });
      const options = { tf, layout: tinyLayout, maxBytes: 2 ** 26, diskBytes: 2 ** 26 };
      const generation = `gen${kill}`;
      const store = new KvStore({ ...options, generation, disk, onEvict: () => undefined });
      expect(performance.now() - start).toBeLessThan(5_000);
      const offered = store.contexts();
      const seeds = new Set(offered.map(({ tokens }) => tokens[0]!));
      expect([...known].filter((seed) => !seeds.has(seed))).toEqual([]);
      for (const { segment, tokens } of offered) {
        expect(tokens).toEqual(writerTokens(tokens[0]!));
        const bringing = store.bring([{ segment, start: 0, end: tokens.length }]);
        await bringing.arrival;
        bringing.release();
        expect(worstError(store.get(segment)!)).toBe(0);
      }
      expect(problems).toEqual([]);
      const [inner] = readdirSync(folder);
      const files = readdirSync(join(folder, inner!));
      expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([]);
      store.checkIntegrity();
      // What was served here need not be served again.
      if (kill % 20 === 19) {
        store.clear();
        known.clear();
      }
      await store.settled();
      await store.close();
    }
    expect(next).toBeGreaterThan(KILLS * 10);
    rmSync(folder, { recursive: true });
  },
  KILLS * 60_000,
);
