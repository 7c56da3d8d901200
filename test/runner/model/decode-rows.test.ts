// Several sequences decoded at once, op by op, against each of them alone.
import { expect, it } from '@jest/globals';
import { loadBackend } from '../../../src/runner/backend/index.ts';
import type { KvBlock } from '../../../src/runner/model/kv-block.ts';
import { tailRow, type KvTail } from '../../../src/runner/model/kv-tail.ts';
import { Transformer } from '../../../src/runner/model/transformer.ts';
import { tokensOf } from '../../support/extra-plans.ts';
import { tinyEngineOn } from '../../support/tiny-engine.ts';

it('decodes several sequences at once as it decodes each alone', async () => {
  const cpu = { requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false } as const;
  const backend = await loadBackend(cpu);
  const { model, tf } = await tinyEngineOn(
    backend,
    {},
    (tf, config, weights) => new Transformer(tf, config, weights, true),
  );
  // The second one has no keys of its own yet.
  const lengths = [9, 0, 17, 4];
  const bases = lengths.map((length, seed): KvBlock | null => {
    if (length === 0) return null;
    const { kv } = model.forward({
      ids: Int32Array.from(tokensOf(length, seed)),
      positions: Int32Array.from({ length }, (_, i) => i),
      past: null,
      pastPositions: new Int32Array(0),
      logitRows: 0,
    });
    return kv;
  });
  // The last two came when the tail had columns of others.
  const starts = [0, 0, 1, 2];
  let tail: KvTail | null = null;
  let worst = 0;
  for (let step = 0; step < 4; step++) {
    const columns = step;
    const own = starts.map((start) => Math.min(start, columns));
    const ids = Int32Array.from(lengths, (_, row) => (7 * row + step) % 50);
    const positions = Int32Array.from(lengths, (length, row) => length + columns - own[row]!);
    const before = tf.memory().numTensors;
    const together = model.decode({ ids, positions, bases, tail, tailStarts: own });
    expect(tf.memory().numTensors).toBe(before + 3);
    const logits = together.logits.arraySync();
    const grown = [together.tail.k.arraySync(), together.tail.v.arraySync()] as const;
    lengths.forEach((_, row) => {
      const block: KvBlock | null = tail && tailRow(tf, tail, row, own[row]!);
      const alone = model.decode({
        ids: ids.slice(row, row + 1),
        positions: positions.slice(row, row + 1),
        bases: [bases[row]!],
        tail: block && { k: tf.expandDims(block.k, 1), v: tf.expandDims(block.v, 1) },
        tailStarts: [0],
      });
      const gap = (a: readonly number[], b: readonly number[]): number =>
        Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
      worst = Math.max(worst, gap(alone.logits.arraySync()[0]!, logits[row]!));
      [alone.tail.k, alone.tail.v].forEach((t, which) => {
        t.arraySync().forEach(([heads], layer) =>
          heads!.forEach((keys, head) => {
            worst = Math.max(worst, gap(keys.at(-1)!, grown[which]![layer]![row]![head]!.at(-1)!));
          }),
        );
      });
    });
    expect(grown[0][0]![0]![0]).toHaveLength(columns + 1);
    tail = together.tail;
  }
  expect(worst).toBeLessThan(1e-5);
});
