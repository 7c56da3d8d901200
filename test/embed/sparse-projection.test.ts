import { describe, expect, it } from '@jest/globals';
import { projectInto, sparseProjection } from '../../src/embed/sparse-projection.ts';

describe('sparseProjection', () => {
  const projection = sparseProjection(576, 128);

  it('draws the same ones every time, none twice for one output', () => {
    expect(sparseProjection(576, 128)).toEqual(projection);
    for (let d = 0; d < 128; d++) {
      const sources = projection.sources.subarray(24 * d, 24 * (d + 1));
      expect(new Set(sources).size).toBe(24);
      expect(Math.max(...sources)).toBeLessThan(576);
    }
    expect(new Set(projection.signs)).toEqual(new Set([1, -1]));
    expect(new Set(projection.sources).size).toBeGreaterThan(560);
  });

  it('is the sum it says it is', () => {
    const small = {
      dimension: 2,
      sources: Uint16Array.of(0, 2, 1, 0),
      signs: Int8Array.of(1, -1, 1, 1),
    };
    const target = new Float32Array(4);
    projectInto(small, [10, 20, 30], 0.5, target, 1);
    expect([...target]).toEqual([0, -10, 15, 0]);
  });

  it('keeps cosines about as they were', () => {
    const wave = (phase: number): Float32Array =>
      Float32Array.from({ length: 576 }, (_, i) => Math.sin(i * i * 0.37 + phase));
    const cosine = (a: Float32Array, b: Float32Array): number =>
      a.reduce((sum, x, i) => sum + x * b[i]!, 0) / Math.hypot(...a) / Math.hypot(...b);
    const rows = [0, 0.4, 0.9, 1.5].map(wave);
    const projected = rows.map((row) => {
      const target = new Float32Array(128);
      projectInto(projection, row, 1, target, 0);
      return target;
    });
    rows.forEach((row, i) => {
      const error = cosine(row, rows[0]!) - cosine(projected[i]!, projected[0]!);
      // Three standard deviations of 128 random outputs.
      expect(Math.abs(error)).toBeLessThan(0.27);
    });
  });
});
