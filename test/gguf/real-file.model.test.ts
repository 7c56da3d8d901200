import { expect, it } from '@jest/globals';
import { openGguf } from '../../src/gguf/index.ts';
import { resolveModel } from '../../src/model-files/index.ts';
import { modelMemory } from '../../src/runner/memory-plan.ts';
import { DEFAULT_MODEL } from '../support/default-model.ts';
import { cacheDir, golden } from '../support/golden.ts';

it('dequantises the real model’s tensors as the reference does, and knows what they take', async () => {
  const { dequant_first8 } = golden<{ dequant_first8: Record<string, number[]> }>('kv_sample');
  const { path } = await resolveModel({ cacheDir });
  const file = await openGguf(path);
  expect(Object.keys(dequant_first8).length).toBeGreaterThan(4);
  for (const [label, first] of Object.entries(dequant_first8)) {
    const [, name, row] = /^(.+?)\[(?:(\d+),)?:8\]$/.exec(label)!;
    const width = file.tensors.get(name!)!.shape[0]!;
    const values = (await file.readTensor(name!)).subarray(Number(row ?? 0) * width);
    first.forEach((expected, i) => {
      expect(Math.abs(values[i]! - expected)).toBeLessThanOrEqual(5e-6 * Math.abs(expected));
    });
  }
  expect(modelMemory(file)).toEqual(DEFAULT_MODEL);
  await file.close();
}, 60_000);
