// How much KV a runner keeps where memory is short. What this promises of a container is tried in test/e2e/memory.test.ts.
import { describe, expect, it } from '@jest/globals';
import { planMemory, type MemoryAsked } from '../../src/runner/memory-plan.ts';
import { DEFAULT_MODEL } from '../support/default-model.ts';

const MIB = 2 ** 20;
const plan = (limitMib: number, other: Partial<MemoryAsked> = {}) =>
  planMemory({
    ...{ model: DEFAULT_MODEL, backend: 'tensorflow', hasOwnMemory: false, precision: 'fp32' },
    ...{ kvBytes: null, hostBytes: 0, besideBytes: 0, isFrugal: true, limitBytes: limitMib * MIB },
    ...other,
  });

describe('planMemory', () => {
  it('gives KV a quarter of the memory where there is enough', () => {
    expect(plan(8192)).toMatchObject({ kvBytes: 2048 * MIB, fits: true });
    expect(plan(4096)).toMatchObject({ kvBytes: 1024 * MIB, fits: true });
  });

  it('never plans for more than there is, and uses what there is: every part is in what it says', () => {
    const backends = ['tensorflow', 'wasm'] as const;
    let short = 0;
    for (let limit = 256; limit <= 6144; limit += 64) {
      for (const backend of backends) {
        const { fits, kvBytes, says } = plan(limit, { backend, besideBytes: 320 * MIB });
        const parts = [...says.matchAll(/(\d+)MiB (?!$)/g)].map(([, mib]) => Number(mib));
        const sum = parts.reduce((a, b) => a + b, 0);
        expect(says).toMatch(new RegExp(` of ${limit}MiB$`));
        expect(sum <= limit).toBe(fits);
        expect(kvBytes).toBeGreaterThanOrEqual(64 * MIB);
        expect(kvBytes).toBeLessThanOrEqual(Math.max(64, limit / 4) * MIB);
        // Nothing is left over but what is rounded.
        if (fits && kvBytes < (limit / 4) * MIB) {
          expect(sum).toBeGreaterThan(limit - 3);
          short++;
        }
      }
    }
    expect(short).toBeGreaterThan(10);
  });

  it('refuses what does not fit, and what it advises fits', () => {
    for (const limit of [2048, 3072, 4096]) {
      const { fits, todo } = plan(limit, { kvBytes: limit * MIB });
      expect(fits).toBe(false);
      const advised = Number(/^--kv-bytes (\d+)MiB fits/.exec(todo)![1]) * MIB;
      expect(plan(limit, { kvBytes: advised }).fits).toBe(true);
      expect(plan(limit, { kvBytes: advised + MIB }).fits).toBe(false);
    }
    expect(plan(1024)).toMatchObject({ fits: false, todo: 'give it more memory' });
    expect(plan(1024, { kvBytes: 64 * MIB }).todo).toBe('give it more memory');
    const host = plan(4096, { hostBytes: 4096 * MIB });
    expect(host).toMatchObject({ fits: false, todo: expect.stringMatching(/--kv-host-bytes/) });
  });

  it('counts what half precision keeps besides, and what is beside the runner', () => {
    const kept = (other: Partial<MemoryAsked>): number => plan(2048, other).kvBytes;
    expect(kept({ precision: 'bf16' })).toBeLessThan(kept({}) - 100 * MIB);
    expect(kept({ besideBytes: 300 * MIB })).toBeLessThan(kept({}) - 100 * MIB);
    expect(kept({ isFrugal: false })).toBeLessThan(kept({}) - 100 * MIB);
    expect(kept({ hostBytes: 100 * MIB })).toBeLessThan(kept({}));
  });

  it('starts a tiny model in little memory', () => {
    const tiny = { weights: MIB / 10, longest: MIB };
    expect(plan(260, { model: tiny, backend: 'cpu', kvBytes: 64 * MIB }).fits).toBe(true);
  });

  it('leaves weights and live KV to a GPU that has memory of its own', () => {
    const gpu = { backend: 'webgpu', hasOwnMemory: true } as const;
    expect(plan(512, gpu)).toMatchObject({ kvBytes: 1024 * MIB, fits: true });
    expect(plan(512, { ...gpu, kvBytes: 8192 * MIB }).fits).toBe(true);
    expect(plan(512, { ...gpu, hostBytes: 512 * MIB }).fits).toBe(false);
  });
});
