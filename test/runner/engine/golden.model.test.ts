// The engine on the real model against vectors from an independent numpy implementation.
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { PlanImport, ReusePlan } from '../../../src/protocol/index.ts';
import { defaultReuseOptions } from '../../../src/reuse/index.ts';
import { loadBackend } from '../../../src/runner/backend/index.ts';
import { Engine } from '../../../src/runner/engine/engine.ts';
import { runsFunctions } from '../../../src/runner/graph/index.ts';
import { cacheDir, golden, realModel } from '../../support/golden.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { divergence, planCase, realTokenClasses, softmax } from '../../support/quality-cases.ts';

const never = new AbortController().signal;
const FINGERPRINT = 'golden';

interface Top10 {
  ids: number[];
  logits: number[];
}
interface Run {
  donor: number;
  donorStart: number;
  targetStart: number;
  length: number;
}
interface Range {
  start: number;
  end: number;
}

let real: Awaited<ReturnType<typeof realModel>>;
const newEngine = () =>
  new Engine({
    model: real.model,
    modelId: 'golden',
    backend: { name: real.backend.name, description: '' },
    fingerprint: FINGERPRINT,
    generation: 'golden',
    maxKvBytes: 2 ** 31,
    chunkTokens: 256,
    sharedChunkTokens: 400,
    scheduler: 'fifo',
    maxRunning: 4,
    onFault: (error) => {
      throw error;
    },
  });

const useModel = (form: Parameters<typeof realModel>[0]): void => {
  beforeAll(async () => {
    real = await realModel(form);
  }, 180_000);
};

const positionsTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

const expectTop10 = (logits: Float32Array, top10: Top10, tolerance: number): void => {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  top10.ids.forEach((id, i) => {
    expect(Math.abs(logits[id]! - top10.logits[i]!)).toBeLessThanOrEqual(tolerance);
    const next = top10.logits[i + 1];
    const clear = next === undefined || top10.logits[i]! - next > 5e-3;
    const previous = i === 0 || top10.logits[i - 1]! - top10.logits[i]! > 5e-3;
    if (clear && previous && i < 9) expect(order[i]).toBe(id);
  });
};

const { tf } = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });

describe.each([
  ['op by op', 'op by op'],
  ['as a SavedModel', 'saved-model'],
  // A library that npm brought has none.
  ...(runsFunctions(tf) ? [['as a function', 'function'] as const] : []),
] as const)('forward pass %s', (_name, form) => {
  useModel(form);
  const { prompts } = golden<{
    prompts: { ids: number[]; top10: Top10; greedy32: number[]; margins: number[] }[];
  }>('prompts');

  it.each(prompts.map((prompt, i) => [i, prompt] as const))(
    'prompt %i: logits and 32 greedy ids',
    async (_, { ids, top10, greedy32, margins }) => {
      const answer = await collect(
        newEngine().generate(requestOf(ids, { store: false, sampling: { maxTokens: 1 } }), never),
      );
      expect(answer.end).toBe('length');
      expectTop10(real.model.lastLogits, top10, 2e-3);
      const { tokens } = await collect(
        newEngine().generate(requestOf(ids, { store: false, sampling: { maxTokens: 32 } }), never),
      );
      const sure = margins.findIndex((margin) => margin < 5e-3);
      const compared = sure < 0 ? greedy32.length : sure;
      expect(tokens.slice(0, compared)).toEqual(greedy32.slice(0, compared));
    },
    60_000,
  );

  it('keeps K and V as the reference computes them', () => {
    const sample = golden<{
      prompt_index: number;
      kv: { layer: number; pos: number; k_pre_rope: number[][]; v: number[][] }[];
    }>('kv_sample');
    const { ids } = prompts[sample.prompt_index]!;
    const { tf, model, config } = real;
    const { kv, logits } = model.forward({
      ids: Int32Array.from(ids),
      positions: positionsTo(ids.length),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 1,
    });
    logits!.dispose();
    const [keys, values] = [kv.k.arraySync(), kv.v.arraySync()];
    // Undo our rotation and our order of pairs: (i, i + D/2) here, (2i, 2i+1) in the file.
    const half = config.headDim / 2;
    const unrotated = (layer: number, head: number, pos: number): number[] => {
      const row = keys[layer]![head]![pos]!;
      const out = new Array<number>(config.headDim);
      for (let i = 0; i < half; i++) {
        const angle = -pos * Math.pow(config.ropeTheta, (-2 * i) / config.headDim);
        out[2 * i] = row[i]! * Math.cos(angle) - row[half + i]! * Math.sin(angle);
        out[2 * i + 1] = row[i]! * Math.sin(angle) + row[half + i]! * Math.cos(angle);
      }
      return out;
    };
    for (const { layer, pos, k_pre_rope, v } of sample.kv) {
      for (let head = 0; head < config.numKvHeads; head++) {
        const gotK = unrotated(layer, head, pos);
        const gotV = values[layer]![head]![pos]!;
        for (let i = 0; i < config.headDim; i++) {
          const [k, value] = [k_pre_rope[head]![i]!, v[head]![i]!];
          expect(Math.abs(gotK[i]! - k)).toBeLessThanOrEqual(1e-3 + 1e-4 * Math.abs(k));
          expect(Math.abs(gotV[i]! - value)).toBeLessThanOrEqual(1e-3 + 1e-4 * Math.abs(value));
        }
      }
    }
    tf.dispose(kv);
  }, 60_000);
});

async function serveDonors(engine: Engine, donors: readonly number[][]): Promise<string[]> {
  const segments: string[] = [];
  for (const tokens of donors) {
    const { stored } = await collect(engine.generate(requestOf(tokens), never));
    segments.push(stored!.segment);
  }
  return segments;
}

const importsOf = (runs: readonly Run[], segments: readonly string[]): PlanImport[] =>
  runs
    .map(({ donor, ...run }) => ({
      segment: segments[donor]!,
      ...run,
      exact: run.donorStart === 0 && run.targetStart === 0,
    }))
    .sort((a, b) => a.targetStart - b.targetStart);

describe('import and recompute', () => {
  useModel('graph');
  const { cases } = golden<{
    cases: {
      name: string;
      donors: number[][];
      target: number[];
      runs: Run[];
      recompute: Range[];
      charged_layer_tokens: number;
      top10: Top10;
      full_prefill_top10: Top10;
      kl_full_policy: number;
    }[];
  }>('partial');

  it.each(cases.map((c) => [c.name, c] as const))(
    'partial case %s',
    async (_, c) => {
      const engine = newEngine();
      const segments = await serveDonors(engine, c.donors);
      const full = await collect(engine.generate(requestOf(c.target, { store: false }), never));
      expect(full.receipt.recomputedTokens).toBe(c.target.length);
      const fullLogits = real.model.lastLogits.slice();
      expectTop10(fullLogits, c.full_prefill_top10, 5e-3);
      const plan = planOf(c.target.length, importsOf(c.runs, segments), c.recompute, FINGERPRINT);
      const { receipt } = await collect(
        engine.generate(requestOf(c.target, { plan, store: false }), never),
      );
      expect(receipt.recomputedTokens * real.config.numLayers).toBe(c.charged_layer_tokens);
      expectTop10(real.model.lastLogits, c.top10, 5e-3);
      const kl = divergence(softmax(fullLogits), softmax(real.model.lastLogits));
      expect(Math.abs(kl - c.kl_full_policy)).toBeLessThanOrEqual(1e-4);
      await engine.close();
    },
    60_000,
  );
});

describe('quality cases', () => {
  useModel('graph');
  /** Our planner over the same cases: charge and mean KL beside those of the reference closure plan. */
  const ours: { charged: number; kl: number; referenceCharged: number; referenceKl: number }[] = [];
  let tokenClasses: Uint8Array;
  beforeAll(async () => {
    tokenClasses = await realTokenClasses();
  });

  interface QualityPlan {
    recompute: [number, number][];
    charged: number;
    kl_first: number;
    kl_mean: number;
  }
  const { cases } = golden<{
    cases: {
      name: string;
      donors: number[][];
      target: number[];
      question_start: number;
      runs: Run[];
      full_greedy: number[];
      plans: Record<string, QualityPlan>;
    }[];
  }>('quality');

  /** Distributions after the prompt and after each teacher-forced token. */
  async function distributions(
    engine: Engine,
    tokens: number[],
    plan: ReusePlan | null,
    forced: number[],
  ): Promise<Float64Array[]> {
    real.model.force(forced);
    await collect(
      engine.generate(
        requestOf(tokens, { plan, store: false, sampling: { maxTokens: forced.length } }),
        never,
      ),
    );
    return real.model.release().map(softmax);
  }

  it.each(cases.map((c) => [c.name, c] as const))(
    'case %s within its stated KL',
    async (_, c) => {
      const engine = newEngine();
      const segments = await serveDonors(engine, c.donors);
      const full = await distributions(engine, c.target, null, c.full_greedy);
      for (const plan of Object.values(c.plans)) {
        const given = planOf(
          c.target.length,
          importsOf(c.runs, segments),
          plan.recompute.map(([start, end]) => ({ start, end })),
          FINGERPRINT,
        );
        const charged = given.recompute.reduce((sum, r) => sum + r.end - r.start, 0);
        expect(charged / c.target.length).toBeCloseTo(plan.charged, 4);
        const reused = await distributions(engine, c.target, given, c.full_greedy);
        const kls = full.map((p, i) => divergence(p, reused[i]!));
        const mean = kls.reduce((a, b) => a + b, 0) / kls.length;
        expect(Math.abs(kls[0]! - plan.kl_first)).toBeLessThanOrEqual(
          Math.max(2e-4, 0.03 * plan.kl_first),
        );
        expect(Math.abs(mean - plan.kl_mean)).toBeLessThanOrEqual(
          Math.max(2e-4, 0.03 * plan.kl_mean),
        );
        if (plan.charged === 1) expect(mean).toBeLessThan(1e-6);
      }
      const { plan, recomputedTokens, outcome } = planCase(
        c,
        segments,
        { tokenClasses, fingerprint: FINGERPRINT },
        defaultReuseOptions,
      );
      if (outcome === 'reused') {
        const reused = await distributions(engine, c.target, plan, c.full_greedy);
        const kls = full.map((p, i) => divergence(p, reused[i]!));
        const reference = c.plans['edit_closure_16_32']!;
        ours.push({
          charged: recomputedTokens / c.target.length,
          kl: kls.reduce((a, b) => a + b, 0) / kls.length,
          referenceCharged: reference.charged,
          referenceKl: reference.kl_mean,
        });
      }
      await engine.close();
    },
    180_000,
  );

  it('our planner’s plans are closer to full prefill than the reference’s at nearly its charge', () => {
    const mean = (of: (row: (typeof ours)[number]) => number): number =>
      ours.reduce((sum, row) => sum + of(row), 0) / ours.length;
    expect(ours.length).toBeGreaterThan(10);
    expect(mean((row) => row.kl)).toBeLessThan(0.7 * mean((row) => row.referenceKl));
    expect(mean((row) => row.charged)).toBeLessThan(mean((row) => row.referenceCharged) + 0.04);
  });
});
