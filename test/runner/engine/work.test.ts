import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Tensor } from '@tensorflow/tfjs-core';
import { loadBackend, type Tf } from '../../../src/runner/backend/index.ts';
import {
  advance,
  finish,
  finishNow,
  numbersOf,
  type Work,
} from '../../../src/runner/engine/work.ts';

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend({ requested: 'cpu', cacheDir: '/nonexistent', allowBuild: false }));
});

/** As on a backend that has lost its device. */
const unreadable = (): Tensor =>
  Object.assign(tf.tensor1d([1]), { data: () => Promise.reject(new Error('device lost')) });

function* sums(...rows: readonly number[][]): Work<number> {
  let sum = 0;
  for (const row of rows) {
    for (const number of yield* numbersOf(tf.tensor1d(row))) sum += number;
    yield null;
  }
  return sum;
}

describe('work', () => {
  it('stops at pauses, not where it reads, and gives up what it has read', async () => {
    const baseline = tf.memory().numTensors;
    const work = sums([1, 2], [3]);
    expect(await advance(work)).toEqual({ done: false, value: null });
    expect(await advance(work)).toEqual({ done: false, value: null });
    expect(await advance(work)).toEqual({ done: true, value: 6 });
    expect(tf.memory().numTensors).toBe(baseline);
  });

  it('comes to the same at once', async () => {
    expect(finishNow(sums([1, 2], [3, 4]))).toBe(10);
    expect(await finish(sums([1, 2], [3, 4]))).toBe(10);
  });

  it('fails where the numbers are needed, and leaves nothing behind', async () => {
    const baseline = tf.memory().numTensors;
    function* holding(): Work<string> {
      const held = tf.tensor1d([1]);
      try {
        yield* numbersOf(unreadable());
        return 'read';
      } finally {
        held.dispose();
      }
    }
    await expect(finish(holding())).rejects.toThrow('device lost');
    expect(tf.memory().numTensors).toBe(baseline);
  });
});
