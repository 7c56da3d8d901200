// N1: any sequence of commands, the death of the graph process included, against a model that compares everything.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, expect, it } from '@jest/globals';
import { VectorIndexes, type VectorIndex } from '../../src/vectors/index.ts';
import { cosine, nearest, until, VectorWorld } from '../support/vectors.ts';

const COMMANDS = process.env['KVSHARE_FULL'] === '1' ? 100_000 : 10_000;
const DIMENSION = 32;
const FULL_SCOPE = 1_500;
const SEED = 20_261_125;

interface Scope {
  readonly index: VectorIndex;
  readonly vectors: Map<number, Float32Array>;
}

const lost: string[] = [];
const all = new VectorIndexes({
  dimension: DIMENSION,
  bruteForceLimit: 64,
  restartMs: 10,
  onChildLost: (why) => lost.push(why),
});
afterAll(() => all.close());

it(
  `finds the nearest in ${COMMANDS} random commands, and nothing that was removed`,
  async () => {
    const world = new VectorWorld(DIMENSION, 60, SEED);
    const { random } = world;
    const newScope = (): Scope => ({ index: all.open(), vectors: new Map() });
    const scopes = [newScope(), newScope()];
    const counts = { searches: 0, right: 0, stale: 0, kills: 0, reusedLabels: 0 };
    const labels = new Map<Scope, number>();

    const add = (scope: Scope): void => {
      const vector = world.member();
      const label = scope.index.add(vector);
      if (label <= (labels.get(scope) ?? -1)) counts.reusedLabels++;
      labels.set(scope, label);
      scope.vectors.set(label, vector);
    };
    const remove = (scope: Scope): void => {
      const label = world.pick([...scope.vectors.keys()]);
      expect(scope.index.remove(label)).toBe(true);
      expect(scope.index.remove(label)).toBe(false);
      scope.vectors.delete(label);
    };
    const search = async ({ index, vectors }: Scope): Promise<void> => {
      const isEdit = random() < 0.5;
      const query = isEdit ? world.near(world.pick([...vectors.values()]), 0.3) : world.member();
      const found = await index.search(query, 5);
      expect(found).toHaveLength(Math.min(5, vectors.size));
      counts.stale += found.filter(({ label }) => !vectors.has(label)).length;
      const [best] = nearest(vectors, query, 1);
      counts.searches++;
      if (found[0]!.label === best) counts.right++;
      else {
        const miss = cosine(vectors.get(found[0]!.label)!, query);
        expect(cosine(vectors.get(best!)!, query) - miss).toBeLessThan(0.5);
      }
    };
    const kill = (): void => {
      if (all.childPid === undefined || lost.length < counts.kills) return;
      process.kill(all.childPid, 'SIGKILL');
      counts.kills++;
    };

    for (let i = 0; i < COMMANDS; i++) {
      const scope = world.pick(scopes);
      const command = random();
      if (command < 0.001) kill();
      else if (command < 0.002) {
        scope.index.close();
        scopes[scopes.indexOf(scope)] = newScope();
      } else if (command < 0.25 && scope.vectors.size > 0) await search(scope);
      else if (command < (scope.vectors.size < FULL_SCOPE ? 0.45 : 0.8) && scope.vectors.size > 0)
        remove(scope);
      else add(scope);
      if (i % 10 === 0) await nextTurn();
    }

    await until(() => lost.length >= counts.kills);
    expect(lost).toHaveLength(counts.kills);
    expect(counts.kills).toBeGreaterThan(2);
    expect(counts).toMatchObject({ stale: 0, reusedLabels: 0 });
    expect(counts.right / counts.searches).toBeGreaterThanOrEqual(0.99);
  },
  30 * COMMANDS,
);
