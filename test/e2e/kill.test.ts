// A runner killed while it serves and writes to disk (security test R13): `kvshare runner` itself, under clients that
// never stop asking. Twice; with KVSHARE_FULL=1 200 times, in 20 pieces that `-t 'piece 3'` picks from.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import type { GenerateRequest, StoredContext } from '../../src/protocol/index.ts';
import { RunnerClient } from '../../src/runner/client.ts';
import { seededRandom } from '../../src/runner/engine/sampler.ts';
import { collect, planOf, requestOf } from '../support/plans.ts';
import { endRunners, startRunner } from '../support/runner-process.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

const FULL = process.env['KVSHARE_FULL'] === '1';
const KILLS = FULL ? 10 : 2;
const pieces = Array.from({ length: FULL ? 20 : 1 }, (_, i) => i + 1);
const CLIENTS = 3;
/** Between two requests of one: a disk flushes so many contexts a second (a large model computes fewer). */
const PAUSE_MS = 60;
/** Of a context that was kept, in milliseconds, before it must have reached the disk. */
const GRACE_MS = 1_000;
/** R13 asks for 5 seconds; a machine that does other things, too, needs as long for an empty folder. */
const RESTART_MS = 5_000;
const never = new AbortController().signal;

const keyOf = ({ tokens, promptTokens }: StoredContext): string =>
  tokens.slice(0, promptTokens).join(' ');

/** Asks until the runner is dead; when each context was kept, and how many answers broke off. */
async function askOn(
  client: RunnerClient,
  next: () => GenerateRequest,
  storedAt: Map<string, number>,
): Promise<number> {
  for (;;) {
    let last = '';
    try {
      for await (const event of client.generate(next(), never)) {
        if (event.type === 'stored') storedAt.set(keyOf(event.context), performance.now());
        last = event.type;
      }
      expect(last).toBe('end');
      await sleep(PAUSE_MS);
    } catch {
      return last === '' ? 0 : 1;
    }
  }
}

async function offeredBy(client: RunnerClient): Promise<readonly StoredContext[]> {
  for await (const event of client.watch(never)) {
    if (event.type === 'hello') return event.contexts;
  }
  throw new Error('no greeting');
}

afterEach(endRunners);

it.each(pieces)(
  `leaves nothing damaged, nothing half, all but the last second: ${KILLS} kills, piece %i`,
  async (piece) => {
    const folder = mkdtempSync(join(tmpdir(), 'kvshare-kill-serving-'));
    const model = join(folder, 'tiny.gguf');
    const disk = join(folder, 'kv');
    writeTinyFile(model, 512);
    const args = ['--kv-bytes', '64MiB', '--kv-disk-bytes', '256MiB', '--kv-disk-dir', disk];
    const random = seededRandom(piece);
    const below = (limit: number): number => Math.floor(random() * limit);
    const known = new Set<string>();
    const starts: number[] = [];
    let broken = 0;
    for (let kill = 0; kill <= KILLS; kill++) {
      const runner = await startRunner(model, args);
      starts.push(runner.startMs);
      expect(runner.startMs).toBeLessThan(starts[0]! + RESTART_MS);
      const client = new RunnerClient(runner.url);
      const { fingerprint } = await client.info();
      const offered = await offeredBy(client);
      const keys = new Set(offered.map(keyOf));
      expect([...known].filter((key) => !keys.has(key))).toEqual([]);
      const [inner] = readdirSync(disk);
      const names = readdirSync(join(disk, inner!));
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);

      // What it offers gives the answer that it gives without.
      for (let i = 0; i < 3 && offered.length > 0; i++) {
        const { segment, exactTokens, tokens } = offered[below(offered.length)]!;
        const entry = { segment, donorStart: 0, targetStart: 0, length: exactTokens, exact: true };
        const target = [...tokens.slice(0, exactTokens), 1 + below(200), 1 + below(200)];
        const plan = planOf(target.length, [entry], [], fingerprint);
        const common = { store: false, sampling: { maxTokens: 6 } };
        const reused = await collect(
          client.generate(requestOf(target, { plan, ...common }), never),
        );
        const cold = await collect(client.generate(requestOf(target, common), never));
        expect(reused.receipt).toMatchObject({ exactTokens, degraded: null });
        expect(reused.tokens).toEqual(cold.tokens);
      }
      const { store } = await client.info();
      expect(store.tiers!.pages).toMatchObject({ damaged: 0, notFinite: 0 });

      const storedAt = new Map<string, number>();
      const clients = Array.from({ length: CLIENTS }, () =>
        askOn(
          client,
          () =>
            requestOf(
              Array.from({ length: 10 + below(60) }, () => 1 + below(250)),
              { sampling: { maxTokens: 1 + below(8) } },
            ),
          storedAt,
        ),
      );
      await sleep(100 + below(2_000));
      const diedAt = performance.now();
      await runner.end();
      broken += (await Promise.all(clients)).reduce((sum, one) => sum + one, 0);
      for (const [key, at] of storedAt) if (diedAt - at > GRACE_MS) known.add(key);
      expect(runner.lines).toEqual([]);
      await client.close();
    }
    if (FULL) {
      const slowest = `first start ${starts[0]!.toFixed()} ms, slowest ${Math.max(...starts).toFixed()} ms`;
      process.stdout.write(`piece ${piece}: ${known.size} kept, ${broken} broke off, ${slowest}\n`);
      expect(broken).toBeGreaterThan(0);
    }
    rmSync(folder, { recursive: true });
  },
  (KILLS + 1) * 60_000,
);
