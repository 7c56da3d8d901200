// The fast comparison of vectors against the slow one, and the module against its text.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import openWabt from 'wabt';
import { moduleBase64 } from '../../src/vectors/products.ts';
import { Query } from '../../src/vectors/query.ts';
import { unitVector } from '../../src/vectors/unit-vector.ts';
import { openScanner, strideOf, VectorTable } from '../../src/vectors/vector-table.ts';
import { VectorWorld } from '../support/vectors.ts';

function search(table: VectorTable, units: readonly Float32Array[], k: number) {
  const queries = units.map((unit) => new Query(unit, strideOf(table.dimension), k));
  for (let slot = table.size; slot > 0;) slot = table.scanStep(slot, queries);
  return queries.map(({ top }) => top.list(() => true));
}

describe('products of bytes', () => {
  it('are those of the text next to them', async () => {
    const text = readFileSync(new URL('../../src/vectors/products.wat', import.meta.url), 'utf8');
    const wabt = await openWabt();
    const { buffer } = wabt.parseWat('products.wat', text, { simd: true }).toBinary({});
    expect(Buffer.from(buffer).toString('base64')).toBe(moduleBase64);
  });

  for (const [dimension, numVectors] of [
    [1, 50],
    [16, 2_500],
    [128, 5_000],
    [257, 1_100],
    [3_072, 300],
  ] as const) {
    it(`find whom the loop in JavaScript finds (${numVectors} of ${dimension} numbers)`, () => {
      const world = new VectorWorld(dimension, 20, 7);
      const products = openScanner(dimension);
      expect(products).not.toBeNull();
      const [fast, slow] = [new VectorTable(dimension, products), new VectorTable(dimension, null)];
      for (let i = 0; i < numVectors; i++) {
        // Some are the same, one points along an axis: its steps are the largest there are.
        const axis = new Float32Array(dimension).fill(i === 5 ? 1e-6 : 0);
        axis[0] = 1;
        const unit = unitVector(i === 5 || i === 9 ? axis : world.member(), dimension);
        for (const table of [fast, slow]) table.add(unit);
        if (i % 50 === 0) for (const table of [fast, slow]) table.add(unit);
      }
      for (const count of [1, 2, 3, 5]) {
        const units = Array.from({ length: count }, () => unitVector(world.member(), dimension));
        const axis = new Float32Array(dimension);
        axis[0] = 1;
        units[0] = axis;
        expect(search(fast, units, 8)).toEqual(search(slow, units, 8));
      }
    });
  }

  it('stay within 31 bits for the longest vectors that steps can make', () => {
    for (const dimension of [64, 1_024, 4_096]) {
      const products = openScanner(dimension)!;
      const table = new VectorTable(dimension, products);
      const flat = new Float32Array(dimension).fill(1 / Math.sqrt(dimension));
      table.add(flat);
      const opposite = flat.map((x) => -x);
      const [same, other] = search(table, [flat, opposite], 1);
      expect(same![0]!.similarity).toBeCloseTo(1, 5);
      expect(other![0]!.similarity).toBeCloseTo(-1, 5);
      const query = new Query(flat, strideOf(dimension), 1);
      const bytes = new Int8Array(strideOf(dimension)).fill(127, 0, dimension);
      const scale = Float32Array.of(1 / (127 * Math.sqrt(dimension)));
      products.load(bytes, scale);
      expect(products.findNear(query, query, query)).toBe(1);
      const [a, b, c, at] = products.near;
      expect([b, c, at]).toEqual([a, a, 0]);
      expect(a).toBeGreaterThan(0);
      query.top.offer(0, 1.001);
      expect(products.findNear(query, query, query)).toBe(0);
    }
  });
});
