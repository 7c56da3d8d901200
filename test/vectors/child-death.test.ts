// N2: the graph process is killed under load. Nobody's search fails, nothing removed comes back, and the graph is
// filled again.
import { afterAll, expect, it } from '@jest/globals';
import { VectorIndexes } from '../../src/vectors/index.ts';
import { killAgainAndAgain, nearest, pause, until, VectorWorld } from '../support/vectors.ts';

const IS_FULL = process.env['KVSHARE_FULL'] === '1';
const KILLS = IS_FULL ? 100 : 10;
const DIMENSION = 64;
const VECTORS = 2_000;

const lost: string[] = [];
const options = { restartMs: 10, onChildLost: (why: string) => lost.push(why) };
const all = new VectorIndexes({ dimension: DIMENSION, bruteForceLimit: 300, ...options });
const large = new VectorIndexes({ dimension: 256, ...options });
afterAll(() => Promise.all([all.close(), large.close()]));

it(
  `survives ${KILLS} kills under load`,
  async () => {
    const world = new VectorWorld(DIMENSION, 100, 2);
    const index = all.open();
    const vectors = new Map<number, Float32Array>();
    const gone = new Set<number>();
    const add = (): void => {
      const vector = world.member();
      vectors.set(index.add(vector), vector);
    };
    for (let i = 0; i < VECTORS; i++) add();
    const isFilled = (): boolean => index.bytes > index.size * (4 * DIMENSION + 64 + DIMENSION);

    const counts = { searches: 0, failed: 0, stale: 0, empty: 0 };
    let isRunning = true;
    const searcher = async (): Promise<void> => {
      while (isRunning) {
        const before = new Set(gone);
        try {
          const found = await index.search(world.near(world.pick([...vectors.values()]), 0.3), 5);
          counts.searches++;
          counts.stale += found.filter(({ label }) => before.has(label)).length;
          if (found.length < 5) counts.empty++;
        } catch {
          counts.failed++;
        }
        await pause(1);
      }
    };
    const mutator = async (): Promise<void> => {
      while (isRunning) {
        const label = world.pick([...vectors.keys()]);
        index.remove(label);
        vectors.delete(label);
        gone.add(label);
        add();
        await pause(5);
      }
    };
    const load = [searcher(), searcher(), searcher(), searcher(), mutator()];

    await killAgainAndAgain({
      ...{ times: KILLS, lost, isUsed: isFilled },
      pid: () => all.childPid,
      pauseMs: () => 150 * world.random(),
    });
    isRunning = false;
    await Promise.all(load);
    await pause(100);

    expect(counts).toMatchObject({ failed: 0, stale: 0, empty: 0 });
    expect(counts.searches).toBeGreaterThan(10 * KILLS);
    let right = 0;
    for (let i = 0; i < 100; i++) {
      const query = world.near(world.pick([...vectors.values()]), 0.3);
      const [best] = await index.search(query, 5);
      if (best!.label === nearest(vectors, query, 1)[0]) right++;
    }
    expect(right).toBeGreaterThanOrEqual(99);
  },
  IS_FULL ? 3_600_000 : 120_000,
);

(IS_FULL ? it : it.skip)(
  'fills a graph of 50,000 vectors of 256 dimensions again within 30 s',
  async () => {
    const world = new VectorWorld(256, 2_000, 3);
    const index = large.open();
    for (let i = 0; i < 50_000; i++) index.add(world.member());
    const isFilled = (): boolean => index.bytes > index.size * (256 + 4 * 256 + 64);
    await until(isFilled, 120_000);
    process.kill(large.childPid!, 'SIGKILL');
    const started = performance.now();
    await until(() => !isFilled());
    await until(isFilled, 120_000);
    expect(performance.now() - started).toBeLessThan(30_000);
  },
  300_000,
);
