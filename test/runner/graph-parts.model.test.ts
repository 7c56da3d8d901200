// Parts of the network as graphs against the same parts op by op, on the real model.
import { expect, it } from '@jest/globals';
import { GraphTransformer } from '../../src/runner/graph/index.ts';
import {
  Transformer,
  type DecodeInput,
  type ForwardInput,
  type ForwardOutput,
} from '../../src/runner/model/transformer.ts';
import type { KvBlock } from '../../src/runner/model/kv-block.ts';
import type { KvTail } from '../../src/runner/model/kv-tail.ts';
import { golden, realModel } from '../support/golden.ts';

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let gap = 0;
  for (let i = 0; i < b.length; i++) gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
  return gap;
};

it('computes rows, KV, logits and attention sums as the eager pass does', async () => {
  const { model, tf, config } = await realModel('graph');
  if (!(model instanceof GraphTransformer)) return; // A machine without the native backend.
  const last = config.numLayers;
  const ids = Int32Array.from({ length: 24 }, (_, i) => 400 + 37 * i);
  const chunk = (from: number, to: number, kv: ForwardOutput | null): ForwardInput => ({
    ids: ids.slice(from, to),
    positions: Int32Array.from({ length: to - from }, (_, i) => from + i),
    past: kv?.kv ?? null,
    pastPositions: Int32Array.from({ length: kv ? from : 0 }, (_, i) => i),
    logitRows: 0,
  });
  const spec = { first: 0, end: last, kind: 'none', attentionOf: null, drifts: false } as const;
  const scored = { start: 1, end: 2 };
  const whole = { start: 0, end: last };
  await model.prepare({ ...spec, end: 2, attentionOf: scored });
  await model.prepare({ ...spec, first: 2, kind: 'last-logits' });
  await model.prepare({ ...spec, attentionOf: whole });
  const baseline = tf.memory().numTensors;
  const outputs: ForwardOutput[] = [];
  const both = (input: ForwardInput): [ForwardOutput, ForwardOutput] => {
    const pair: [ForwardOutput, ForwardOutput] = [
      model.forward(input),
      Transformer.prototype.forward.call(model, input),
    ];
    outputs.push(...pair);
    const [graph, eager] = pair;
    for (const which of ['k', 'v'] as const) {
      expect(graph.kv[which].shape).toEqual(eager.kv[which].shape);
      expect(worst(graph.kv[which].dataSync(), eager.kv[which].dataSync())).toBeLessThan(2e-3);
    }
    if (eager.attention) {
      const sums = [graph.attention!.dataSync(), eager.attention.dataSync()] as const;
      expect(worst(...sums)).toBeLessThan(1e-3);
    }
    return pair;
  };
  const part = { first: 0, end: 2, hidden: null, attentionOf: scored };
  const [first] = both({ ...chunk(0, 16, null), part });
  const [second, eagerSecond] = both({ ...chunk(16, 24, first), part });
  expect(second.attention!.shape).toEqual([24]);
  expect(worst(second.hidden!.dataSync(), eagerSecond.hidden!.dataSync())).toBeLessThan(2e-3);

  const deep = { first: 2, end: last, hidden: second.hidden! };
  const [logits, eagerLogits] = both({ ...chunk(16, 24, null), logitRows: 1, part: deep });
  expect(worst(logits.logits!.dataSync(), eagerLogits.logits!.dataSync())).toBeLessThan(2e-3);
  both({ ...chunk(0, 24, null), part: { ...part, end: last, attentionOf: whole } });
  for (const { kv, hidden, logits, attention } of outputs) {
    tf.dispose([kv.k, kv.v, { hidden, logits, attention }] as never);
  }
  expect(tf.memory().numTensors).toBe(baseline);
}, 240_000);

it('moves imported keys and values as the eager pass does', async () => {
  const { model, tf } = await realModel('graph');
  if (!(model instanceof GraphTransformer)) return; // A machine without the native backend.
  const baseline = tf.memory().numTensors;
  const of = (from: number, to: number): Pick<ForwardInput, 'ids' | 'positions'> => ({
    ids: Int32Array.from({ length: to - from }, (_, i) => 400 + 37 * (from + i)),
    positions: Int32Array.from({ length: to - from }, (_, i) => from + i),
  });
  const none = { past: null, pastPositions: new Int32Array(0), logitRows: 0 };
  const past = model.forward({ ...of(0, 20), ...none });
  // The same tokens behind nothing: what a donor may have had for them.
  const stale = model.forward({ ...of(20, 32), positions: of(0, 12).positions, ...none });
  const drift = {
    stale: stale.kv,
    average: tf.tensor3d(
      // Each run has rows and a strength of its own.
      [new Array<number>(12).fill(0), [4, 5, 6, 7], [8, 9]].flatMap((rows, run) =>
        Array.from({ length: 12 }, (_, row) => (run > 0 && rows.includes(row) ? 0.1 / run : 0)),
      ),
      [1, 3, 12],
    ),
    runOf: tf.tensor1d(
      Array.from({ length: 20 }, (_, key) => (key < 5 ? 0 : key < 12 ? 1 : 2)),
      'int32',
    ),
  };
  for (const logitRows of [0, 1]) {
    const input = {
      ...of(20, 32),
      ...{ past: past.kv, pastPositions: of(0, 20).positions, logitRows, drift },
    };
    const graph = model.forward(input);
    const eager = Transformer.prototype.forward.call(model, input);
    for (const [mine, theirs, was] of [
      [graph.kv.k, eager.kv.k, null],
      [graph.kv.v, eager.kv.v, null],
      [graph.past!.k, eager.past!.k, past.kv.k],
      [graph.past!.v, eager.past!.v, past.kv.v],
    ] as const) {
      expect(mine.shape).toEqual(theirs.shape);
      expect(worst(mine.dataSync(), theirs.dataSync())).toBeLessThan(2e-3);
      if (!was) continue;
      // The first five keys belong to no run, the others did move.
      const largest = tf.tidy(() =>
        tf.split(tf.sub(mine, was), [5, 15], 2).map((part) => tf.max(tf.abs(part)).dataSync()[0]!),
      );
      expect(largest[0]).toBe(0);
      expect(largest[1]).toBeGreaterThan(0.1);
    }
    if (logitRows > 0) {
      expect(worst(graph.logits!.dataSync(), eager.logits!.dataSync())).toBeLessThan(2e-3);
    }
    const { kv, past: moved, logits } = graph;
    tf.dispose([kv, moved, logits, eager.kv, eager.past, eager.logits] as never);
  }
  tf.dispose([past.kv, drift, stale.kv] as never);
  expect(tf.memory().numTensors).toBe(baseline);
}, 240_000);

it('decodes several sequences at once as it decodes each alone, op by op', async () => {
  const { model, tf } = await realModel('graph');
  if (!(model instanceof GraphTransformer)) return; // A machine without the native backend.
  const baseline = tf.memory().numTensors;
  const prompt = (length: number, seed: number): KvBlock => {
    const { kv, logits } = model.forward({
      ids: Int32Array.from({ length }, (_, i) => 300 + ((i * 53 + seed * 7919) % 9000)),
      positions: Int32Array.from({ length }, (_, i) => i),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 1,
    });
    logits!.dispose();
    return kv;
  };
  for (const lengths of [
    [5, 40, 9, 17, 0, 26, 12, 31],
    [30, 7],
  ]) {
    const bases = lengths.map((length, seed) => (length > 0 ? prompt(length, seed) : null));
    const tails: { graph: KvTail | null; eager: KvTail | null } = { graph: null, eager: null };
    for (let step = 0; step < 4; step++) {
      const input = (tail: KvTail | null): DecodeInput => ({
        ids: Int32Array.from(lengths, (_, at) => 1000 + 77 * at + step),
        positions: Int32Array.from(lengths, (length) => length + step),
        bases,
        tail,
        // Some rows do not own the first columns: their sequences came later.
        tailStarts: lengths.map((_, at) => Math.min(step, at % 4)),
      });
      const graph = model.decode(input(tails.graph));
      const eager = Transformer.prototype.decode.call(model, input(tails.eager));
      expect(graph.tail.k.shape).toEqual(eager.tail.k.shape);
      for (const which of ['k', 'v'] as const) {
        expect(worst(graph.tail[which].dataSync(), eager.tail[which].dataSync())).toBeLessThan(
          2e-3,
        );
      }
      expect(worst(graph.logits.dataSync(), eager.logits.dataSync())).toBeLessThan(2e-3);
      tf.dispose([graph.logits, eager.logits, tails.graph, tails.eager] as never);
      tails.graph = graph.tail;
      tails.eager = eager.tail;
    }
    tf.dispose([tails.graph, tails.eager, ...bases] as never);
  }
  expect(tf.memory().numTensors).toBe(baseline);
}, 240_000);

it('differs little when the matrices are in bfloat16', async () => {
  const { model, tf, weights, config } = await realModel('graph');
  if (!(model instanceof GraphTransformer)) return; // A machine without the native backend.
  const half = await GraphTransformer.load(tf, config, weights, { precision: 'bf16' });
  const { ids } = golden<{ prompts: { ids: number[] }[] }>('prompts').prompts[2]!;
  const probabilities = (transformer: Transformer): Float32Array => {
    const { kv, logits } = transformer.forward({
      ids: Int32Array.from(ids),
      positions: Int32Array.from(ids, (_, i) => i),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 1,
    });
    const softmax = tf.softmax(logits!);
    const values = softmax.dataSync<'float32'>().slice();
    tf.dispose([kv.k, kv.v, logits!, softmax]);
    return values;
  };
  const [exact, rounded] = [probabilities(model), probabilities(half)];
  const divergence = exact.reduce((sum, p, id) => sum + p * Math.log(p / rounded[id]!), 0);
  expect(divergence).toBeLessThan(5e-3);
  // It is another computation, not the same one by another name.
  expect(worst(exact, rounded)).toBeGreaterThan(1e-5);
}, 240_000);
