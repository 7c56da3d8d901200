// Top-up, full layers and decode refresh against the plain-TypeScript oracle, which selects and computes by itself.
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { PlanImport, ReusePlan, TopUp } from '../../../src/protocol/index.ts';
import { pickTokens } from '../../../src/runner/engine/pick-tokens.ts';
import { oracleForward, type OracleImport, type OracleKv } from '../../support/oracle.ts';
import { collect, planOf, requestOf } from '../../support/plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngine } from '../../support/tiny-engine.ts';

const never = new AbortController().signal;
const LAYERS = 3;
const tokensOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i % 5) * seed) % TINY_VOCABULARY);
const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(b).reduce((gap, value, i) => Math.max(gap, Math.abs(a[i]! - value)), 0);

const donorTokens = tokensOf(60, 1);
/** 8 tokens in place, 6 new ones, 40 moved ones, 4 at the end. */
const target = [
  ...donorTokens.slice(0, 8),
  ...tokensOf(6, 9),
  ...donorTokens.slice(12, 52),
  3,
  4,
  5,
  6,
];
const EXACT = 8;
const [START, END] = [14, 54];
const moved = Array.from({ length: END - START }, (_, i) => START + i);
const planned = [8, 9, 10, 11, 12, 13, 54, 55, 56, 57];

let setup: Awaited<ReturnType<typeof tinyEngine>>;
let segment: string;
let donorKv: OracleKv;
beforeAll(async () => {
  setup = await tinyEngine({ chunkTokens: 16 });
  const first = await collect(setup.engine.generate(requestOf(donorTokens), never));
  segment = first.stored!.segment;
  donorKv = oracleForward(setup.oracle, donorTokens).kv;
});

const imports = (): PlanImport[] => [
  { segment, donorStart: 0, targetStart: 0, length: EXACT, exact: true },
  { segment, donorStart: 12, targetStart: START, length: END - START, exact: false },
];
const oracleImports = (): OracleImport[] => [
  { donor: donorKv, donorStart: 0, targetStart: 0, length: EXACT },
  { donor: donorKv, donorStart: 12, targetStart: START, length: END - START },
];
const plan = (change: Partial<ReusePlan> = {}): ReusePlan => ({
  ...planOf(target.length, imports(), [], FINGERPRINT),
  ...change,
});
const topUp = (selector: TopUp['selector'], change: Partial<TopUp> = {}): TopUp => ({
  ...{ selector, ratio: 0.2, window: 1, keep: 1 },
  ...change,
});

async function run(change: Partial<ReusePlan>, maxTokens = 1) {
  const request = requestOf(target, { plan: plan(change), store: false, sampling: { maxTokens } });
  const answer = await collect(setup.engine.generate(request, never));
  return { ...answer, logits: setup.model.lastLogits.slice() };
}

/** Scores by the papers' formulas, in plain loops. */
function oracleScores(selector: TopUp['selector']): number[] {
  const attention = new Float64Array(target.length);
  const hears = (wanted: (layer: number) => boolean) => ({
    listen: (layer: number, _at: number, weights: readonly number[]) => {
      if (wanted(layer)) weights.forEach((weight, key) => (attention[key]! += weight));
    },
  });
  if (selector === 'query-attention') {
    oracleForward(
      setup.oracle,
      target,
      oracleImports(),
      planned,
      hears(() => true),
    );
    return moved.map((at) => attention[at]!);
  }
  // With layer 0 in full, V at layer 1 is that of a full prefill.
  const full = oracleForward(setup.oracle, target, [], undefined, {
    listen: (layer, at, weights) => {
      if (layer === 1 && at >= EXACT) weights.forEach((w, key) => (attention[key]! += w));
    },
  });
  return moved.map((at, i) => {
    const [now, old] = [full.kv.v[1]![at]!, donorKv.v[1]![12 + i]!];
    const distance = now.reduce((sum, value, j) => sum + Math.abs(value - old[j]!), 0);
    return selector === 'dhd' ? attention[at]! * distance : distance;
  });
}

const best = (scores: readonly number[], count: number): number[] =>
  scores
    .map((score, i) => ({ score, at: moved[i]! }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
    .map(({ at }) => at);

describe('top-up', () => {
  it.each(['v-deviation', 'dhd', 'query-attention'] as const)(
    '%s computes the tokens that the reference picks, and gets its logits',
    async (selector) => {
      const fullLayers = selector === 'query-attention' ? 0 : 2;
      const picks = best(oracleScores(selector), 8);
      const rows = [...planned, ...picks].sort((a, b) => a - b);
      const expected = oracleForward(setup.oracle, target, oracleImports(), rows, {
        fullLayers,
        exactTokens: EXACT,
      });
      const { logits, receipt } = await run({ topUp: topUp(selector) });
      expect(worst(logits, expected.logits)).toBeLessThan(1e-4);
      expect(receipt).toMatchObject({
        exactTokens: EXACT,
        importedTokens: 40,
        recomputedTokens: 18,
        degraded: null,
      });
      const layerTokens =
        selector === 'query-attention'
          ? LAYERS * planned.length + LAYERS * rows.length
          : 2 * (target.length - EXACT) + (LAYERS - 2) * rows.length;
      expect(receipt.chargedRecompute).toBeCloseTo(layerTokens / (LAYERS * target.length), 10);
    },
  );

  it('differs from the plan without it, and from another selector', async () => {
    const plain = await run({});
    const selected = (['v-deviation', 'dhd', 'query-attention'] as const).map(oracleScores);
    const picks = selected.map((scores) => best(scores, 8).join());
    expect(new Set(picks).size).toBeGreaterThan(1);
    const { logits } = await run({ topUp: topUp('v-deviation') });
    expect(worst(logits, plain.logits)).toBeGreaterThan(1e-4);
  });

  it('is a full prefill when it picks everything', async () => {
    const full = oracleForward(setup.oracle, target).logits;
    for (const selector of ['v-deviation', 'dhd', 'query-attention'] as const) {
      const { logits, receipt } = await run({ topUp: topUp(selector, { ratio: 1 }) });
      expect(worst(logits, full)).toBeLessThan(1e-4);
      expect(receipt.recomputedTokens).toBe(target.length - EXACT);
    }
  });

  it('picks in groups of neighbours', () => {
    const positions = Int32Array.from({ length: 8 }, (_, i) => 10 + i);
    const scores = Float32Array.from([1, 9, 1, 0, 4, 4, 4, 0]);
    const picks = (window: number, keep: number) => [
      ...pickTokens({ positions, scores }, topUp('dhd', { ratio: 0.5, window, keep })).picked,
    ];
    expect(picks(1, 1)).toEqual([11, 14, 15, 16]);
    expect(picks(4, 2)).toEqual([10, 11, 14, 15]);
    const { left } = pickTokens({ positions, scores }, topUp('dhd', { ratio: 0.5 }));
    expect([...left]).toEqual([10, 12, 13, 17]);
  });
});

describe('full layers', () => {
  it('are computed for every token, the others for the plan’s', async () => {
    const expected = oracleForward(setup.oracle, target, oracleImports(), planned, {
      fullLayers: 2,
      exactTokens: EXACT,
    });
    const { logits, receipt } = await run({ fullLayers: 2 });
    expect(worst(logits, expected.logits)).toBeLessThan(1e-4);
    const layerTokens = 2 * (target.length - EXACT) + planned.length;
    expect(receipt.chargedRecompute).toBeCloseTo(layerTokens / (LAYERS * target.length), 10);
  });

  it('are a full prefill when they are all layers', async () => {
    const full = oracleForward(setup.oracle, target).logits;
    expect(worst((await run({ fullLayers: 3 })).logits, full)).toBeLessThan(1e-4);
    expect(worst((await run({ fullLayers: 99 })).logits, full)).toBeLessThan(1e-4);
  });

  it('give the same in one chunk and in many', async () => {
    const whole = await tinyEngine({ chunkTokens: 256 });
    const first = await collect(whole.engine.generate(requestOf(donorTokens), never));
    const elsewhere = imports().map((entry) => ({ ...entry, segment: first.stored!.segment }));
    for (const change of [{ fullLayers: 1 }, { topUp: topUp('dhd') }]) {
      const request = requestOf(target, { plan: plan({ ...change, imports: elsewhere }) });
      await collect(whole.engine.generate(request, never));
      expect(worst((await run(change)).logits, whole.model.lastLogits)).toBeLessThan(1e-5);
    }
  });
});

describe('decode refresh', () => {
  it('computes the worst tokens again with each generated one, and says how many', async () => {
    const scores = oracleScores('v-deviation');
    const order = best(scores, 40);
    const picks = order.slice(0, 8);
    const { events, logits, tokens } = await run(
      { topUp: topUp('v-deviation'), decodeRefresh: 3 },
      3,
    );
    const end = events.at(-1);
    expect(end).toMatchObject({ type: 'end', refreshedTokens: 6 });
    // What the last step saw: the prompt with the picks, three tokens fresh over it, three more over those.
    const kvAfter = (rows: readonly number[], text: readonly number[], over: OracleImport[]) =>
      oracleForward(
        setup.oracle,
        text,
        over,
        [...rows].sort((a, b) => a - b),
      ).kv;
    const shallow = oracleForward(
      setup.oracle,
      target,
      oracleImports(),
      [...planned, ...picks].sort((a, b) => a - b),
      { fullLayers: 2, exactTokens: EXACT },
    ).kv;
    const all = (kv: OracleKv, length: number): OracleImport[] => [
      { donor: kv, donorStart: 0, targetStart: 0, length },
    ];
    const n = target.length;
    const one = kvAfter([...order.slice(8, 11), n], [...target, tokens[0]!], all(shallow, n));
    const expected = oracleForward(
      setup.oracle,
      [...target, tokens[0]!, tokens[1]!],
      all(one, n + 1),
      [...order.slice(11, 14), n + 1].sort((a, b) => a - b),
    );
    expect(worst(logits, expected.logits)).toBeLessThan(1e-4);
  });

  it('ends when nothing is left', async () => {
    const { events } = await run({ topUp: topUp('dhd'), decodeRefresh: 20 }, 6);
    expect(events.at(-1)).toMatchObject({ refreshedTokens: 32 });
  });
});

describe('policies with rules of their own', () => {
  it('naive leaves keys at their old position', async () => {
    const turned = await run({});
    const { logits } = await run({ policy: 'naive' });
    expect(worst(logits, turned.logits)).toBeGreaterThan(1e-3);
    const inPlace = {
      imports: imports().slice(0, 1),
      recompute: [{ start: EXACT, end: target.length, reason: 'changed' as const }],
    };
    const [a, b] = [await run(inPlace), await run({ ...inPlace, policy: 'naive' })];
    expect(worst(a.logits, b.logits)).toBe(0);
  });

  it('only semantic may import a token for another, never as exact, only with a layer in full', async () => {
    const other = imports().map((entry) =>
      entry.exact ? entry : { ...entry, donorStart: entry.donorStart + 1 },
    );
    const refused = { code: 'plan_invalid' };
    const ask = (change: Partial<ReusePlan>) => run({ imports: other, ...change });
    await expect(ask({})).rejects.toMatchObject(refused);
    await expect(ask({ fullLayers: 1 })).rejects.toMatchObject(refused);
    await expect(ask({ policy: 'semantic' })).rejects.toMatchObject(refused);
    const { receipt, logits } = await ask({ policy: 'semantic', fullLayers: 1 });
    expect(receipt.importedTokens).toBe(40);
    const expected = oracleForward(
      setup.oracle,
      target,
      [oracleImports()[0]!, { ...oracleImports()[1]!, donorStart: 13 }],
      planned,
      { fullLayers: 1, exactTokens: EXACT },
    );
    expect(worst(logits, expected.logits)).toBeLessThan(1e-4);
  });

  it('keeps what it computed as approximate', async () => {
    const request = requestOf(target, { plan: plan({ topUp: topUp('dhd') }) });
    const { stored } = await collect(setup.engine.generate(request, never));
    expect(stored!.exactTokens).toBeLessThanOrEqual(START + 8);
    expect(stored!.exactTokens).toBeGreaterThanOrEqual(START);
    setup.engine.store.checkIntegrity();
  });
});

describe('faults', () => {
  it('frees every tensor, whenever the client leaves', async () => {
    const { engine, tf } = await tinyEngine({ chunkTokens: 4 });
    const first = await collect(engine.generate(requestOf(donorTokens), never));
    const elsewhere = imports().map((entry) => ({ ...entry, segment: first.stored!.segment }));
    const before = tf.memory().numTensors;
    for (const selector of ['v-deviation', 'query-attention'] as const) {
      for (let turns = 0; turns < 30; turns += 3) {
        const abort = new AbortController();
        const change = { imports: elsewhere, topUp: topUp(selector), decodeRefresh: 2 };
        const request = requestOf(target, {
          ...{ plan: plan(change), store: false },
          sampling: { maxTokens: 4 },
        });
        const events = engine.generate(request, abort.signal);
        for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
        abort.abort();
        for await (const event of events) expect(event.type).not.toBe('error');
        expect(tf.memory().numTensors).toBe(before);
      }
    }
  });

  it('goes cold when a stage fails', async () => {
    const { engine, model, tf } = await tinyEngine({ chunkTokens: 16 });
    const first = await collect(engine.generate(requestOf(donorTokens), never));
    const elsewhere = imports().map((entry) => ({ ...entry, segment: first.stored!.segment }));
    const before = tf.memory().numTensors;
    const forward = model.forward.bind(model);
    let passes = 0;
    model.forward = (input) => {
      if (++passes === 2) throw new Error('no memory');
      return forward(input);
    };
    const request = requestOf(target, {
      ...{ plan: plan({ imports: elsewhere, topUp: topUp('dhd') }), store: false },
    });
    const { receipt } = await collect(engine.generate(request, never));
    expect(receipt).toMatchObject({ degraded: 'import-failed', importedTokens: 0, exactTokens: 0 });
    expect(receipt.recomputedTokens).toBe(target.length);
    expect(worst(model.lastLogits, oracleForward(setup.oracle, target).logits)).toBeLessThan(1e-4);
    expect(tf.memory().numTensors).toBe(before);
  });
});
