// The suite on the real model and the real embedder, far below its full size: it takes a minute. `bench safety` has
// a tenth of the full size by default, and all of it with --full.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { canaryCase } from '../../../src/bench/safety/canary-cases.ts';
import { withPair } from '../../../src/bench/safety/pair.ts';
import { runSafety } from '../../../src/bench/safety/safety.ts';
import { wordLlamaEmbedder } from '../../../src/embed/index.ts';
import { Probe } from '../../../src/runner/probe/probe.ts';
import type { Tokenizer } from '../../../src/tokenizer/index.ts';
import { VectorIndexes } from '../../../src/vectors/index.ts';
import { cacheDir, realModel, realTokenizer } from '../../support/golden.ts';

const none = { canaries: 0, pairs: 0, prompts: 0, samples: 20 };

describe('bench safety', () => {
  let folder = '';
  let tokenizer: Tokenizer;
  let prober: Probe;
  let meaning: Parameters<typeof runSafety>[0]['meaning'];
  let vectors: VectorIndexes;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvshare-safety-'));
    tokenizer = await realTokenizer();
    const { model } = await realModel('graph');
    prober = new Probe({ model, fingerprint: 'safety-test', maxKvBytes: 2 ** 30 });
    const embedder = await wordLlamaEmbedder(cacheDir);
    vectors = new VectorIndexes({ dimension: embedder.dimension });
    meaning = { embedder, vectors };
  }, 180_000);
  afterAll(async () => {
    await vectors.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (sizes: Partial<typeof none>, partialPath: string | null = null) =>
    runSafety({
      ...{ ...none, ...sizes, tokenizer, prober, meaning, model: 'm', seed: 3, variants: [] },
      ...{ partialPath, onProgress: () => undefined },
    });

  it('finds no secret where the planner plans, and every one where it is broken', async () => {
    const { canaries, bounds } = await run({ canaries: 3 });
    // The rise at the 99th percentile is published (README): three canaries say little about it.
    const others = bounds.filter(({ what }) => !what.includes('p99'));
    expect(others.filter(({ holds }) => !holds)).toEqual([]);
    expect(canaries!.policies['edit-closure']!.secret.max).toBeLessThan(2);
    expect(canaries).toMatchObject({ canaries: 3, answers: 30, withSecret: 0, withFragment: 0 });
    expect(canaries!.policies['edit-closure']!.n).toBe(3);
    // 8 to 12 tokens that were out of the question become likely.
    expect(canaries!.control!.secret.mean).toBeGreaterThan(30);
  }, 240_000);

  it('lets no broken planner import another token but under `semantic`', async () => {
    await withPair(canaryCase(3, 0), { tokenizer, prober, meaning }, (pair) => {
      const plan = pair.leakingPlan();
      expect(pair.unequalSlots(plan)).toBeGreaterThan(20);
      expect(() => pair.prefill({ ...plan, policy: 'edit-closure' })).toThrow('differs');
      expect(() => pair.prefill({ ...plan, fullLayers: 0 })).toThrow('differs');
      return Promise.resolve();
    });
  }, 60_000);

  it('imports nothing unequal from hostile donors, and answers as without them', async () => {
    const { collisions, bounds } = await run({ pairs: 6 });
    // A near tie may fall otherwise on another processor.
    const [share, ...rest] = bounds.filter(({ what }) => what.startsWith('strict: share'));
    expect([share!.measured >= 5 / 6, rest]).toEqual([true, []]);
    expect(bounds.filter((bound) => !bound.holds && bound !== share)).toEqual([]);
    expect(collisions!.climbed).toMatchObject({ n: 1, reached: 1 });
    expect(collisions!.policies['edit-closure']!.overall.reused).toBeGreaterThan(3);
    expect(collisions!.policies['edit-closure']!.overall.sameAnswers).toBeGreaterThan(3);
  }, 240_000);

  it('draws as varied answers from reuse as from full prefill, about the own card', async () => {
    const partial = join(folder, 'out.json.partial.jsonl');
    const { diversity, bounds } = await run({ prompts: 1, samples: 20 }, partial);
    expect(bounds.filter(({ holds }) => !holds)).toEqual([]);
    expect(diversity).toMatchObject({ prompts: 1, reused: 1, answers: 20 });
    expect(diversity!.totalVariation.max).toBeLessThan(0.3);
    await expect(readFile(partial)).rejects.toThrow();
  }, 240_000);
});
