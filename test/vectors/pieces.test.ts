import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Chunk } from '../../src/vectors/chunk.ts';
import { LabelSlots } from '../../src/vectors/label-slots.ts';
import { TopNeighbours } from '../../src/vectors/top-neighbours.ts';
import { Turns } from '../../src/vectors/turns.ts';
import { unitVector } from '../../src/vectors/unit-vector.ts';
import { Query } from '../../src/vectors/query.ts';
import { openScanner, strideOf, VectorTable } from '../../src/vectors/vector-table.ts';
import { cosine, VectorWorld } from '../support/vectors.ts';

describe('TopNeighbours', () => {
  it('keeps the best k, each label once, of equal ones the newest', () => {
    const offers = fc.array(fc.tuple(fc.nat(30), fc.nat(8)), { maxLength: 60 });
    fc.assert(
      fc.property(offers, fc.integer({ min: 1, max: 6 }), (all, k) => {
        const top = new TopNeighbours(k);
        // A label has one similarity.
        const similarity = new Map(all);
        for (const [label] of all) top.offer(label, similarity.get(label)!);
        const expected = [...similarity].sort((a, b) => b[1] - a[1] || b[0] - a[0]).slice(0, k);
        expect(top.list(() => true)).toEqual(
          expected.map(([label, similarity]) => ({ label, similarity })),
        );
      }),
    );
  });
});

describe('LabelSlots', () => {
  it('is a map that can be walked in order from any label', () => {
    const slots = new LabelSlots();
    const model = new Map<number, number>();
    for (let label = 0; label < 3_000; label++) {
      slots.set(label, label * 2);
      model.set(label, label * 2);
    }
    for (let label = 0; label < 3_000; label++) {
      if (label % 7 === 0 || (label > 500 && label < 1_900)) {
        slots.delete(label);
        slots.delete(label);
        model.delete(label);
      }
    }
    for (let label = 0; label < 3_001; label++) expect(slots.get(label)).toBe(model.get(label));
    const walked: number[] = [];
    for (let from = 100; from < 3_000;) {
      const { labels, next } = slots.take(from, 3_000, 64);
      walked.push(...labels);
      expect(next).toBeGreaterThan(from);
      from = next;
    }
    expect(walked).toEqual([...model.keys()].filter((label) => label >= 100));
  });

  it('gives the memory of forgotten labels back', () => {
    const slots = new LabelSlots();
    for (let label = 0; label < 10_000; label++) {
      slots.set(label, 0);
      if (label >= 100) slots.delete(label - 100);
    }
    expect(slots.bytes).toBeLessThan(5_000);
  });
});

describe('chunks', () => {
  for (const dimension of [3, 64, 257]) {
    it(`know cosines to a thousandth or two (${dimension} dimensions)`, () => {
      const world = new VectorWorld(dimension, 10, 4);
      const chunk = new Chunk(10, strideOf(dimension));
      const other = new Chunk(10, strideOf(dimension));
      const read = new Float32Array(dimension);
      for (let at = 0; at < 10; at++) {
        const vector = world.member();
        chunk.write(at, unitVector(vector, dimension));
        chunk.labels[at] = 100 + at;
        const query = unitVector(world.member(), dimension);
        expect(Math.abs(chunk.dot(at, query) - cosine(vector, query))).toBeLessThan(6e-3);
        chunk.read(at, read);
        expect(cosine(read, read)).toBeCloseTo(1, 5);
        expect(chunk.dot(at, query)).toBeCloseTo(cosine(read, query), 5);
        // Moving a vector does not wear it.
        other.move(0, chunk, at);
        expect(other.dot(0, query)).toBe(chunk.dot(at, query));
        expect(other.labels[0]).toBe(100 + at);
      }
    });
  }
});

describe('VectorTable', () => {
  it('loses nobody when a scan is interrupted by removals and additions', () => {
    const world = new VectorWorld(8, 5, 5);
    const table = new VectorTable(8, openScanner(8));
    const unit = (): Float32Array => unitVector(world.member(), 8);
    const labels = Array.from({ length: 20_000 }, () => table.add(unit()));
    const query = new Query(unit(), strideOf(8), 30_000);
    let gone = 0;
    for (let slot = table.size; slot > 0;) {
      slot = table.scanStep(slot, [query]);
      for (let i = 0; i < 500; i++) table.remove(labels[gone++ * 2]!);
      for (let i = 0; i < 100; i++) table.add(unit());
    }
    expect(gone).toBeGreaterThan(1_000);
    const seen = new Set(query.top.list((label) => table.has(label)).map(({ label }) => label));
    for (const label of labels) expect(seen.has(label)).toBe(table.has(label));
  });

  it('frees the memory of removed vectors', () => {
    const table = new VectorTable(8, openScanner(8));
    const labels = Array.from({ length: 5_000 }, () => table.add(new Float32Array(8).fill(1)));
    const full = table.bytes;
    for (const label of labels) table.remove(label);
    expect(table.size).toBe(0);
    expect(table.bytes).toBeLessThan(full / 20);
  });
});

describe('Turns', () => {
  it('lets the event loop go on between a few milliseconds of work, whoever asks for it', async () => {
    const turns = new Turns();
    const gaps: number[] = [];
    let last = performance.now();
    const timer = setInterval(() => {
      gaps.push(performance.now() - last);
      last = performance.now();
    }, 1);
    const work = (steps: number): Promise<void> => {
      let left = steps;
      return turns.run(() => {
        const end = performance.now() + 0.1;
        while (performance.now() < end);
        return --left === 0;
      });
    };
    const finished: string[] = [];
    const large = work(1_000).then(() => finished.push('large'));
    const small = Array.from({ length: 10 }, () => work(5).then(() => finished.push('small')));
    await Promise.all([large, ...small]);
    clearInterval(timer);
    expect(finished.at(-1)).toBe('large');
    expect(gaps.length).toBeGreaterThan(10);
    // 4 ms and one step, of 100 ms of work; another process may have the core for a while.
    expect(gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]).toBeLessThan(25);
  });
});
