// The real recipe's result. `npm test` provisions it first; where it is missing it is built here (half a
// minute after the download).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { findNative } from '../../src/native/index.ts';
import { wheelsHere } from '../../src/native/recipe.ts';
import { loadBackend } from '../../src/runner/backend/index.ts';
import { cacheDir } from '../support/golden.ts';

describe('the native backend', () => {
  if (!wheelsHere('tensorflow')) {
    it('is not asked for on a system without a recipe', async () => {
      const { tried } = await loadBackend({ requested: 'auto', cacheDir, allowBuild: true });
      expect(tried.map((t) => t.name)).toContain('tensorflow');
    });
    return;
  }

  it('loads, multiplies, and is what auto chooses', async () => {
    const forced = await loadBackend({ requested: 'tensorflow', cacheDir, allowBuild: true });
    expect(forced.name).toBe('tensorflow');
    const { tf } = forced;
    const product = tf.matMul(
      tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      tf.tensor2d([[5], [6]]),
    ); // [2, 1]
    expect([...product.dataSync()]).toEqual([17, 39]);
    if (forced.description.includes('built here')) {
      const folder = (await findNative(cacheDir, 'tensorflow'))!;
      const library = join(folder, 'deps', 'lib', 'libtensorflow_cc.so.2');
      // A build needs g++, which brings it.
      const { stderr } = spawnSync('nm', [library], {
        encoding: 'utf8',
        maxBuffer: 2 ** 20,
        env: { ...process.env, LC_ALL: 'C' },
      });
      expect(stderr).toContain('no symbols');
    }

    const chosen = await loadBackend({ requested: 'auto', cacheDir, allowBuild: false });
    expect(chosen.name).toMatch(/^tensorflow/);
    expect(chosen.tf).toBe(tf);
  }, 600_000);
});
