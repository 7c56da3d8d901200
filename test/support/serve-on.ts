// Run as a script, `serve-on.ts BACKEND CACHE-DIR`: the tiny model's engine on that backend serves the same requests
// as on any other. Prints every array of numbers that was read from the backend, which is all that left it, with the
// answers and the books.
import { backendRequests, loadBackend } from '../../src/runner/backend/index.ts';
import { Transformer } from '../../src/runner/model/transformer.ts';
import { mixedPrompt, tokensOf, topUpOf } from './extra-plans.ts';
import { collect, planOf, requestOf, type Answer } from './plans.ts';
import { FINGERPRINT, TINY_VOCABULARY, tinyEngineOn, type ModelParts } from './tiny-engine.ts';

export interface Told {
  readonly tokens: readonly number[];
  readonly receipt: Answer['receipt'];
  readonly end: string;
}
export interface Served {
  readonly description: string;
  readonly answers: Readonly<Record<string, Told>>;
  /** By request what was read for it. */
  readonly reads: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** Tensors and bytes beyond those of the model and the store; all zero when nothing leaks. */
  readonly leaks: readonly { readonly tensors: number; readonly bytes: number }[];
  /** Numbers read in the background when pages went to host memory. */
  readonly movedNumbers: number;
  /** What the store says that it was. */
  readonly movedBytes: number;
}

const [, , name, cacheDir] = process.argv;
const never = new AbortController().signal;
const PER_TOKEN = 3 * 2 * 2 * 8 * 4;

const backend = await loadBackend({
  requested: backendRequests.find((known) => known === name)!,
  cacheDir: cacheDir!,
  allowBuild: false,
  allowCpu: true,
});
const { tf } = backend;
const live = tf.backend() as unknown as { read: (id: object) => Promise<Float32Array> };
const read = live.read.bind(live);
let seen: number[][] = [];
live.read = async (id) => {
  const numbers = await read(id);
  seen.push([...numbers]);
  return numbers;
};

const newModel = (...[, config, weights]: ModelParts): Transformer =>
  new Transformer(tf, config, weights, backend.hasOwnMemory);
const answers: Record<string, Told> = {};
const reads: Record<string, number[][]> = {};
const leaks: { tensors: number; bytes: number }[] = [];

const { engine } = await tinyEngineOn(backend, { chunkTokens: 24 }, newModel);
const baseline = tf.memory();
const ask = async (label: string, request: ReturnType<typeof requestOf>): Promise<Answer> => {
  const answer = await collect(engine.generate(request, never));
  const { tokens, receipt, end } = answer;
  answers[label] = { tokens, receipt, end };
  reads[label] = seen;
  seen = [];
  const { numTensors, numBytes } = tf.memory();
  leaks.push({
    tensors: numTensors - baseline.numTensors - engine.store.numTensors,
    bytes: numBytes - baseline.numBytes - engine.store.bytes,
  });
  return answer;
};

const donorTokens = tokensOf(40, 4);
const donor = await ask('cold, two chunks', requestOf(donorTokens, { sampling: { maxTokens: 3 } }));
const segment = donor.stored!.segment;
const { target, plan } = mixedPrompt([donorTokens], {
  exact: 6,
  pieces: [
    { gap: 3, donor: 0, donorStart: 10, length: 16 },
    { gap: 0, donor: 0, donorStart: 2, length: 6 },
  ],
  repairs: [[12, 2]],
  tail: 3,
});
const sampling = { maxTokens: 2 };
const moved = plan([segment], {});
await ask('moved KV and recomputed ranges', requestOf(target, { plan: moved, sampling }));
const drifted = plan([segment], { driftCorrection: 0.4 });
await ask('moved KV, its drift corrected', requestOf(target, { plan: drifted, sampling }));
const topped = plan([segment], { topUp: topUpOf('dhd', 0.2), decodeRefresh: 2 });
await ask('top-up, refreshed while decoding', requestOf(target, { plan: topped, sampling }));

const together = [5, 6].map((seed) =>
  collect(
    engine.generate(
      requestOf(tokensOf(12, seed), { store: false, sampling: { maxTokens: 3 } }),
      never,
    ),
  ),
);
for (const [at, { tokens, receipt, end }] of (await Promise.all(together)).entries()) {
  answers[`together ${at}`] = { tokens, receipt, end };
}
await engine.close();

// There is room for two of three prompts: the first one goes to host memory, and comes back.
const tiers = { hostBytes: 2 ** 20 };
const small = await tinyEngineOn(backend, { maxKvBytes: 100 * PER_TOKEN, tiers }, newModel);
seen = [];
const segments: string[] = [];
for (const seed of [1, 2, 3]) {
  const { stored } = await collect(small.engine.generate(requestOf(tokensOf(40, seed)), never));
  await small.engine.store.settled();
  segments.push(stored!.segment);
}
// Beside the logits of each prompt.
const movedNumbers = seen.flat().length - 3 * TINY_VOCABULARY;
const movedBytes = small.engine.store.info.tiers!.movedBytes.toHost;
const entry = { segment: segments[0]!, donorStart: 0, targetStart: 0, length: 39 };
const back = planOf(44, [{ ...entry, exact: true }], [], FINGERPRINT);
const again = [...tokensOf(40, 1).slice(0, 39), ...tokensOf(5, 3)];
const { tokens, receipt, end } = await collect(
  small.engine.generate(requestOf(again, { plan: back, store: false }), never),
);
answers['back from host memory'] = { tokens, receipt, end };
await small.engine.close();

const { description } = backend;
const served: Served = { description, answers, reads, leaks, movedNumbers, movedBytes };
process.stdout.write(JSON.stringify(served), () => process.exit(0));
