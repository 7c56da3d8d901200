// A runner in a container that is just large enough (security test R16): a real control group, whose limit the kernel enforces.
// The KV of what it is asked is several times what fits; it lets go of what it has kept, and is never killed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { StoredContext } from '../../src/protocol/index.ts';
import { RunnerClient } from '../../src/runner/client.ts';
import { makeCgroup } from '../support/cgroup.ts';
import { collect, planOf, requestOf } from '../support/plans.ts';
import { endRunners, startRunner } from '../support/runner-process.ts';
import { writeTinyFile } from '../support/tiny-file.ts';

const MIB = 2 ** 20;
/** 192 MiB for the process, 12 for a copy of the longest sequence, the rest for KV: less than a quarter of it. */
const LIMIT = 272 * MIB;
/** 24 KB of KV a token, and little to compute. */
const WIDE = { hiddenSize: 8, numHeads: 8, numKvHeads: 8, headDim: 128, ffnSize: 16 };
const PROMPTS = 140;
const CLIENTS = 5;
const never = new AbortController().signal;

let cgroup = makeCgroup(LIMIT);
const canLimit = cgroup !== null;
cgroup?.remove();

const inLimit = canLimit ? describe : describe.skip;

inLimit(
  'in a container that is just large enough (skipped where no control group can be made: needs root and a writable /sys/fs/cgroup)',
  () => {
    let folder: string;
    let model: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'kvshare-memory-'));
      model = join(folder, 'wide.gguf');
      writeTinyFile(model, 512, WIDE);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const start = (...args: string[]) => {
      cgroup = makeCgroup(LIMIT);
      return startRunner(model, ['--backend', 'wasm', ...args], cgroup!);
    };
    afterEach(async () => {
      await endRunners();
      cgroup?.remove();
    });

    const tokensOf = (seed: number): number[] =>
      Array.from({ length: 40 }, (_, i) => 1 + ((seed * 31 + i * 17 + ((i * seed) % 13)) % 250));
    const sampling = { maxTokens: 3, stopTokens: [] };

    it('sheds what it has kept, answers everybody right, and is not killed', async () => {
      const runner = await start();
      const client = new RunnerClient(runner.url);
      const { fingerprint, store } = await client.info();
      expect(store.maxBytes).toBeLessThan(LIMIT / 4);
      expect(store.maxBytes).toBeGreaterThan(64 * MIB);
      const cold = (tokens: readonly number[]) =>
        collect(client.generate(requestOf(tokens, { store: false, sampling }), never));
      // Before anything is kept.
      const expected = await cold(tokensOf(1));

      /** The next prompt of the same conversation, from what was just kept of it. */
      async function goOn({ segment, exactTokens, tokens }: StoredContext): Promise<void> {
        const entry = { segment, donorStart: 0, targetStart: 0, length: exactTokens, exact: true };
        const target = [...tokens.slice(0, exactTokens), 7, 8];
        const plan = planOf(target.length, [entry], [], fingerprint);
        const request = requestOf(target, { plan, store: false, sampling });
        const reused = await collect(client.generate(request, never));
        expect(reused.tokens).toEqual((await cold(target)).tokens);
      }

      let next = 0;
      const ask = async (): Promise<void> => {
        while (next < PROMPTS) {
          const seed = next++;
          const request = requestOf(tokensOf(seed), { sampling });
          const { stored, tokens, end } = await collect(client.generate(request, never));
          expect([tokens.length, end]).toEqual([3, 'length']);
          if (seed % 10 === 0) await goOn(stored!);
        }
      };
      await Promise.all(Array.from({ length: CLIENTS }, ask));
      expect((await cold(tokensOf(1))).tokens).toEqual(expected.tokens);

      const after = (await client.info()).store;
      expect(after.bytes).toBeGreaterThan(0.7 * after.maxBytes);
      expect(after.bytes).toBeLessThanOrEqual(after.maxBytes);
      expect(after.contexts).toBeLessThan(0.6 * PROMPTS);
      expect(cgroup!.killed()).toBe(0);
      expect(runner.lines).toEqual([]);
      await client.close();
    }, 240_000);

    it.each([
      [['--kv-bytes', '128MiB'], /config_invalid: .*128MiB KV.*--kv-bytes \d\dMiB fits/],
      [['--kv-host-bytes', '40MiB'], /config_invalid: .*40MiB KV in host memory.*lower --kv-host/],
    ])(
      'does not start with %j, which would end it later, and says what fits',
      async (args, line) => {
        await expect(start(...args)).rejects.toThrow(line);
        expect(cgroup!.killed()).toBe(0);
      },
    );
  },
);
