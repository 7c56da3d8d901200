// Parts of the network as graphs against the same parts op by op, on the real model.
import { expect, it } from '@jest/globals';
import { GraphTransformer } from '../../src/runner/graph/index.ts';
import {
  Transformer,
  type ForwardInput,
  type ForwardOutput,
} from '../../src/runner/model/transformer.ts';
import { realModel } from '../support/golden.ts';

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let gap = 0;
  for (let i = 0; i < b.length; i++) gap = Math.max(gap, Math.abs(a[i]! - b[i]!));
  return gap;
};

it('computes rows, KV, logits and attention sums as the eager pass does', async () => {
  const { model, tf, config } = await realModel(true);
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
  const spec = { first: 0, end: last, kind: 'none', attentionOf: null } as const;
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
    graph.kv.forEach(({ k, v }, at) => {
      expect(worst(k.dataSync(), eager.kv[at]!.k.dataSync())).toBeLessThan(2e-3);
      expect(worst(v.dataSync(), eager.kv[at]!.v.dataSync())).toBeLessThan(2e-3);
    });
    expect(graph.kv).toHaveLength(eager.kv.length);
    if (eager.attention) expect(worst(graph.attention!, eager.attention)).toBeLessThan(1e-3);
    return pair;
  };
  const part = { first: 0, end: 2, hidden: null, attentionOf: scored };
  const [first] = both({ ...chunk(0, 16, null), part });
  const [second, eagerSecond] = both({ ...chunk(16, 24, first), part });
  expect(second.attention).toHaveLength(24);
  expect(worst(second.hidden!.dataSync(), eagerSecond.hidden!.dataSync())).toBeLessThan(2e-3);

  const deep = { first: 2, end: last, hidden: second.hidden! };
  const [logits, eagerLogits] = both({ ...chunk(16, 24, null), logitRows: 1, part: deep });
  expect(worst(logits.logits!.dataSync(), eagerLogits.logits!.dataSync())).toBeLessThan(2e-3);
  both({ ...chunk(0, 24, null), part: { ...part, end: last, attentionOf: whole } });
  for (const { kv, hidden, logits } of outputs) {
    tf.dispose([...kv, { hidden, logits }] as never);
  }
  expect(tf.memory().numTensors).toBe(baseline);
}, 240_000);
