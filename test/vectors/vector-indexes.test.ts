// One index a scope, with real graphs in a real process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { VectorIndexes, type VectorIndex } from '../../src/vectors/index.ts';
import { cosine, isAlive, nearest, pause, until, VectorWorld } from '../support/vectors.ts';

const DIMENSION = 32;
const LIMIT = 100;
const opened: VectorIndexes[] = [];

function indexes(overrides: object = {}) {
  const lost: string[] = [];
  const all = new VectorIndexes({
    dimension: DIMENSION,
    bruteForceLimit: LIMIT,
    onChildLost: (why) => lost.push(why),
    restartMs: 10,
    ...overrides,
  });
  opened.push(all);
  return { all, lost };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((all) => all.close()));
});

function fill(index: VectorIndex, count: number, world = new VectorWorld(DIMENSION, 20, 1)) {
  const vectors = new Map<number, Float32Array>();
  for (let i = 0; i < count; i++) {
    const vector = world.member();
    vectors.set(index.add(vector), vector);
  }
  return { vectors, world };
}

const labelsOf = async (index: VectorIndex, query: Float32Array, k: number) =>
  (await index.search(query, k)).map(({ label }) => label);

/** Graphs are filled behind the scenes: their memory is in `bytes` once their vectors were sent. */
const graphHas = (index: VectorIndex, count: number) => (): boolean =>
  index.bytes > count * (4 * DIMENSION + 64);

describe('a small scope', () => {
  it('finds exactly the nearest, best first, with their cosines, and starts no process', async () => {
    const { all } = indexes();
    const index = all.open();
    const { vectors, world } = fill(index, LIMIT);
    for (let i = 0; i < 50; i++) {
      const query = world.member();
      const [found, same] = await index.searchAll([query, query], 7);
      const all = [...vectors.keys()].map((label) => {
        return { label, similarity: index.similarity(label, query) };
      });
      all.sort((a, b) => b.similarity - a.similarity || b.label - a.label);
      expect(found).toEqual(all.slice(0, 7));
      expect(same).toEqual(found);
      for (const { label, similarity } of all) {
        // Vectors are kept in bytes.
        expect(Math.abs(similarity - cosine(vectors.get(label)!, query))).toBeLessThan(6e-3);
      }
    }
    expect(all.childPid).toBeUndefined();
  });

  it('gives the newest of equal vectors, after removals too', async () => {
    const index = indexes().all.open();
    const vector = new Float32Array(DIMENSION).fill(3);
    for (let i = 0; i < 20; i++) index.add(vector);
    index.remove(0);
    index.remove(17);
    expect(await labelsOf(index, vector, 4)).toEqual([19, 18, 16, 15]);
    expect(index.add(vector)).toBe(20);
  });

  it('answers a search for more than there is, for nothing, and in an empty scope', async () => {
    const index = indexes().all.open();
    const query = new Float32Array(DIMENSION).fill(1);
    expect(await index.search(query, 3)).toEqual([]);
    index.add(query);
    expect(await index.search(query, 3)).toHaveLength(1);
    for (const k of [0, -1, NaN]) expect(await index.search(query, k)).toEqual([]);
  });

  it('takes its time, not more, where all vectors are the same', async () => {
    const all = new VectorIndexes({ dimension: DIMENSION, bruteForceLimit: 1_000_000 });
    opened.push(all);
    const index = all.open();
    const vector = new Float32Array(DIMENSION).fill(1);
    for (let i = 0; i < 100_000; i++) index.add(vector);
    const queries = new Array<Float32Array>(6).fill(vector);
    const started = performance.now();
    const found = await Promise.all(
      Array.from({ length: 16 }, () => index.searchAll(queries, 8, 20)),
    );
    expect(performance.now() - started).toBeLessThan(500);
    for (const neighbours of found.flat()) {
      expect(neighbours).toHaveLength(8);
      expect(neighbours[0]!.label).toBe(99_999);
    }
    expect(await index.searchAll([], 8)).toEqual([]);
  });

  it('compares fewer where WebAssembly has no vector instructions', async () => {
    const open = (): VectorIndex => {
      const all = new VectorIndexes({ dimension: DIMENSION, library: 'no-such-library' });
      opened.push(all);
      return all.open();
    };
    const WASM = Reflect.get(globalThis, 'WebAssembly') as unknown;
    Reflect.set(globalThis, 'WebAssembly', undefined);
    const slow = open();
    Reflect.set(globalThis, 'WebAssembly', WASM);
    const fast = open();
    const { vectors, world } = fill(slow, 6_100);
    for (const vector of vectors.values()) fast.add(vector);
    // Compared until a graph has them, and one by one, as long as the budget lasts.
    expect([slow.lag, fast.lag]).toEqual([6_100, 0]);
    const query = world.member();
    expect(await labelsOf(slow, query, 5)).toEqual(await labelsOf(fast, query, 5));
  });

  it('sees no other scope', async () => {
    const { all } = indexes();
    const [a, b] = [all.open(), all.open()];
    const vector = new Float32Array(DIMENSION).fill(1);
    a.add(vector);
    expect(await b.search(vector, 5)).toEqual([]);
    expect([a.size, b.size]).toEqual([1, 0]);
  });

  it('refuses vectors that no cosine can be computed with', async () => {
    const index = indexes().all.open();
    const good = new Float32Array(DIMENSION).fill(1);
    const bad = [
      new Float32Array(DIMENSION),
      new Float32Array(DIMENSION - 1).fill(1),
      good.with(3, NaN),
      good.with(0, Infinity),
      [...good] as unknown as Float32Array,
    ];
    for (const vector of bad) {
      expect(() => index.add(vector)).toThrow(RangeError);
      await expect(index.search(vector, 1)).rejects.toThrow(RangeError);
    }
    expect(index.size).toBe(0);
    expect(() => index.similarity(0, good)).toThrow(RangeError);
  });

  it('keeps nothing of a closed scope', async () => {
    const index = indexes().all.open();
    const { vectors, world } = fill(index, 30);
    index.close();
    expect(await index.search(world.member(), 3)).toEqual([]);
    expect(index.size).toBe(0);
    expect(index.remove([...vectors.keys()][0]!)).toBe(false);
    expect(() => index.add(world.member())).toThrow('closed');
  });
});

describe('a scope that grows and shrinks', () => {
  it('finds the same neighbours before, while and after a graph takes over', async () => {
    const { all } = indexes();
    const index = all.open();
    const { vectors, world } = fill(index, LIMIT);
    const queries = Array.from({ length: 20 }, () =>
      world.near(world.pick([...vectors.values()]), 0.2),
    );
    const check = async () => {
      for (const query of queries) {
        const [first] = await index.search(query, 3);
        expect(first!.label).toBe(nearest(vectors, query, 1)[0]);
        expect(first!.similarity).toBeCloseTo(cosine(vectors.get(first!.label)!, query), 2);
      }
    };
    await check();
    const more = fill(index, 3 * LIMIT, world);
    for (const [label, vector] of more.vectors) vectors.set(label, vector);
    await check();
    await until(graphHas(index, index.size));
    await check();
    for (const label of [...vectors.keys()].slice(0, 3.7 * LIMIT)) {
      vectors.delete(label);
      expect(index.remove(label)).toBe(true);
    }
    await check();
    expect(index.size).toBe(vectors.size);
    expect(index.bytes).toBeLessThan(60_000);
  });

  it('finds what was added a moment ago, and never what was removed a moment ago', async () => {
    const { all } = indexes();
    const index = all.open();
    const { vectors, world } = fill(index, 5 * LIMIT);
    await until(graphHas(index, index.size));
    await pause(200);
    for (let i = 0; i < 100; i++) {
      const vector = world.member();
      const label = index.add(vector);
      expect((await labelsOf(index, vector, 1))[0]).toBe(label);
      const gone = world.pick([...vectors.keys()]);
      const query = vectors.get(gone)!;
      const search = index.search(query, 5);
      index.remove(gone);
      vectors.delete(gone);
      expect((await search).map((found) => found.label)).not.toContain(gone);
      expect(await labelsOf(index, query, 5)).not.toContain(gone);
    }
  });

  it('replaces a graph whose points are mostly gone', async () => {
    const { all } = indexes();
    const index = all.open();
    const { vectors, world } = fill(index, 4 * LIMIT);
    await until(graphHas(index, index.size));
    for (let round = 0; round < 6; round++) {
      for (const label of [...vectors.keys()].slice(0, 2 * LIMIT)) {
        vectors.delete(label);
        index.remove(label);
      }
      for (const [label, vector] of fill(index, 2 * LIMIT, world).vectors)
        vectors.set(label, vector);
      await pause(150);
    }
    // 1,600 points were sent; a graph of all of them would take more.
    await until(() => index.bytes < 1_000 * (4 * DIMENSION + 96 + 140) + 100_000);
    for (let i = 0; i < 30; i++) {
      const query = world.near(world.pick([...vectors.values()]), 0.2);
      expect((await labelsOf(index, query, 1))[0]).toBe(nearest(vectors, query, 1)[0]);
    }
  });
});

describe('the graph process', () => {
  it('is gone after close, and indexes go on without it', async () => {
    const { all, lost } = indexes();
    const index = all.open();
    const { vectors, world } = fill(index, 3 * LIMIT);
    await until(graphHas(index, index.size));
    const pid = all.childPid!;
    expect(isAlive(pid)).toBe(true);
    await all.close();
    expect(isAlive(pid)).toBe(false);
    const query = world.member();
    expect((await labelsOf(index, query, 1))[0]).toBe(nearest(vectors, query, 1)[0]);
    expect(lost).toEqual([]);
  });

  it('is missed by nobody when its library cannot be loaded, which is said once', async () => {
    const { all, lost } = indexes({ library: 'no-such-library' });
    const index = all.open();
    const { vectors, world } = fill(index, 3 * LIMIT);
    await until(() => lost.length > 0);
    expect(lost[0]).toContain('no-such-library');
    fill(all.open(), 3 * LIMIT, world);
    await pause(100);
    for (let i = 0; i < 20; i++) {
      const query = world.near(world.pick([...vectors.values()]), 0.2);
      expect((await labelsOf(index, query, 1))[0]).toBe(nearest(vectors, query, 1)[0]);
    }
    expect(lost).toHaveLength(1);
    expect(all.childPid).toBeUndefined();
  });

  it('is replaced when it hangs, and searches do not wait for it', async () => {
    const { all, lost } = indexes({ stallMs: 200 });
    const index = all.open();
    const { vectors, world } = fill(index, 3 * LIMIT);
    await until(graphHas(index, index.size));
    await pause(100);
    const pid = all.childPid!;
    process.kill(pid, 'SIGSTOP');
    const query = world.near(world.pick([...vectors.values()]), 0.2);
    const started = performance.now();
    expect((await labelsOf(index, query, 1))[0]).toBe(nearest(vectors, query, 1)[0]);
    expect(performance.now() - started).toBeLessThan(200);
    await until(() => lost.length > 0 && all.childPid !== undefined && all.childPid !== pid);
    await until(graphHas(index, index.size));
    expect(isAlive(pid)).toBe(false);
  });

  it('ends when its parent is killed', async () => {
    const door = new URL('../../src/vectors/index.ts', import.meta.url).href;
    const script = `
      import { VectorIndexes } from ${JSON.stringify(door)};
      const all = new VectorIndexes({ dimension: 4, bruteForceLimit: 1 });
      const index = all.open();
      for (let i = 1; i < 50; i++) index.add(Float32Array.of(i, 1, 1, 1));
      while (index.bytes < 9_000) await new Promise((resolve) => setTimeout(resolve, 10));
      process.stdout.write(String(all.childPid));
      setInterval(() => undefined, 1_000);`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
  });

  it('keeps a search within its budget when there is no graph', async () => {
    const { all } = indexes({ library: 'no-such-library', bruteForceLimit: 1_000 });
    const index = all.open();
    const { world } = fill(index, 60_000);
    const started = performance.now();
    const found = await index.search(world.member(), 5, 10);
    expect(performance.now() - started).toBeLessThan(100);
    expect(found).toHaveLength(5);
  });
});
