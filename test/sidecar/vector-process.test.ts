// N2 through the whole sidecar: the process with the vector graphs is killed again and again while clients ask. Every
// request is answered, nothing that was evicted is imported, and meaning is matched all the while. Ten times; with
// KVSHARE_FULL=1 a hundred.
import { afterAll, expect, it } from '@jest/globals';
import { VectorIndexes, type VectorIndex } from '../../src/vectors/index.ts';
import { answering, ScriptedRunner, storing } from '../support/scripted-runner.ts';
import { ask, bearer, metricsOf, serveSidecar } from '../support/served.ts';
import { killAgainAndAgain, pause, until } from '../support/vectors.ts';
import { wordEmbedder } from '../support/word-embedder.ts';

const IS_FULL = process.env['KVSHARE_FULL'] === '1';
const KILLS = IS_FULL ? 100 : 10;
const DONORS = 24;
const LIMIT = 60;
const CLIENTS = 4;

const lost: string[] = [];
const embedder = wordEmbedder();
const vectors = new VectorIndexes({
  dimension: embedder.dimension,
  bruteForceLimit: LIMIT,
  restartMs: 10,
  onChildLost: (why) => lost.push(why),
});
const indexes: VectorIndex[] = [];
const open = vectors.open.bind(vectors);
vectors.open = () => {
  const index = open();
  indexes.push(index);
  return index;
};
/** Whether searches are answered by the graph process. */
const isGraphUsed = (): boolean =>
  vectors.childPid !== undefined && indexes[0]!.size > LIMIT && indexes[0]!.lag === 0;

const runner = new ScriptedRunner();
runner.script = (request, signal) => {
  const isKept = request.requestId.startsWith('gen-a.');
  return (isKept ? storing(request.requestId) : answering)(request, signal);
};
let served: Awaited<ReturnType<typeof serveSidecar>>;
afterAll(() => served.sidecar.close());

const wordsOf = (donor: number, line: number): string[] =>
  Array.from({ length: 6 }, (_, at) => `y${at}x${line}w${donor}`);
/** Lines of its own, each a passage. */
const promptOf = (donor: number): string =>
  Array.from({ length: 6 }, (_, line) => wordsOf(donor, line).join(' ')).join('\n');
/** The same to the embedder, and hardly a token where it was: meaning alone finds the donor. */
const otherwise = (donor: number): string =>
  Array.from({ length: 6 }, (_, line) => wordsOf(donor, line).reverse().join(' ')).join('\n');

async function post(path: string, prompt: string, id = 'asked') {
  const body = { model: 'tiny', max_tokens: 3, prompt };
  const headers = { ...bearer('key-north'), 'x-request-id': id };
  return ask(served.url, path, body, headers);
}

it(
  `answers everybody while the graph process is killed ${KILLS} times`,
  async () => {
    served = await serveSidecar(runner, { embedder, vectors });
    const stored: number[] = [];
    const gone = new Set<string>();
    let next = 0;
    const store = async (): Promise<void> => {
      const donor = next++;
      const { status } = await post('/v1/completions', promptOf(donor), `gen-a.${donor}`);
      expect(status).toBe(200);
      stored.push(donor);
    };
    for (let i = 0; i < DONORS; i++) await store();
    await until(isGraphUsed);

    const counts = { failed: 0, unmatched: 0, stale: 0 };
    const asked = { answers: 0, byGraph: 0 };
    let isRunning = true;
    /** Asks for what has been there for a while, by other words. */
    const client = async (turn: number): Promise<void> => {
      for (; isRunning; turn++) {
        const [donor, before] = [stored[turn % (DONORS / 2)]!, new Set(gone)];
        if (isGraphUsed()) asked.byGraph++;
        const [answer, dryRun] = await Promise.all([
          post('/v1/completions', otherwise(donor)),
          post('/kvshare/plan', otherwise(donor)),
        ]);
        asked.answers++;
        if (answer.body.usage?.completion_tokens !== 3 || dryRun.status !== 200) counts.failed++;
        const found = (dryRun.body.donors ?? []) as { segment: string; similarity: number }[];
        const named = found.map(({ segment }) => segment);
        if (!named.includes(`gen-a.${donor}`)) counts.unmatched++;
        if (named.some((segment) => before.has(segment))) counts.stale++;
        await pause(10);
      }
    };
    /** Of the other half the oldest is evicted, for a new one. */
    const mutator = async (): Promise<void> => {
      while (isRunning) {
        const [donor] = stored.splice(DONORS / 2, 1);
        const segments = [`gen-a.${donor}`];
        for (const watcher of runner.watchers) watcher.push({ type: 'evicted', segments });
        await pause(5);
        gone.add(segments[0]!);
        await store();
      }
    };
    const load = [...Array.from({ length: CLIENTS }, (_, i) => client(3 * i)), mutator()];

    await killAgainAndAgain({
      ...{ times: KILLS, lost, isUsed: isGraphUsed },
      pid: () => vectors.childPid,
      pauseMs: (kill) => 40 * kill,
    });
    isRunning = false;
    await Promise.all(load);

    expect(counts).toEqual({ failed: 0, unmatched: 0, stale: 0 });
    expect(asked.answers).toBeGreaterThan(5 * KILLS);
    expect(asked.byGraph).toBeGreaterThan(KILLS);
    expect(gone.size).toBeGreaterThan(KILLS);
    const metrics = await metricsOf(served.url);
    for (const stage of ['plan', 'embed', 'runner']) {
      expect(metrics).toContain(`kvshare_fail_open_total{stage="${stage}"} 0`);
    }
  },
  IS_FULL ? 600_000 : 120_000,
);
