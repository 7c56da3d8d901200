// Before the first request: is it the same model, does the server save where we look, and does it keep tenants apart?
// Asked by trying, since it does not say. Its slots are empty afterwards: nobody knows whose content they had.
import { KvShareError } from '../../src/errors.ts';
import type { AdapterOptions } from '../../src/protocol/index.ts';
import type { LlamaServer, ServerShape } from './llama-server.ts';
import { SavedContexts } from './saved-contexts.ts';
import type { Speeds } from '../kit/speeds.ts';

const wrong = (message: string): KvShareError => new KvShareError('config_invalid', message);

const SAMPLE = 'The patient’s dose is 500 mg; 2nd line\n\n  indented, naïve 漢字 🙂.';

async function checkModel(
  server: LlamaServer,
  { vocabSize }: ServerShape,
  { tokenizer }: AdapterOptions,
): Promise<void> {
  const theirs = await server.tokenize(SAMPLE);
  const ours = tokenizer.encode(SAMPLE);
  const isSame = theirs.length === ours.length && theirs.every((id, at) => id === ours[at]);
  if (isSame && vocabSize === tokenizer.vocabSize) return;
  throw wrong("llama.cpp's server has another model: it does not read the same tokens (--model).");
}

/** Throws when the server has no folder. */
async function eraseAll(server: LlamaServer, slots: number): Promise<void> {
  for (let slot = 0; slot < slots; slot++) {
    await server.erase(slot).catch((error: unknown) => {
      if (error instanceof KvShareError && error.code === 'runner_unavailable') throw error;
      throw wrong("llama.cpp's server cannot save slots: start it with --slot-save-path DIR.");
    });
  }
}

/** Different tokens for different `from`. */
const tokensFrom = (from: number, length: number, vocabSize: number): number[] =>
  Array.from({ length }, (_, i) => (from * 29 + i * 7) % vocabSize);

const sampling = { temperature: 0, topP: 1, seed: 1, maxTokens: 1, stopTokens: [] };
const SHARED = 16;
const CUT = 32;

/** What the server took from its cache, as it says. */
async function cachedOf(
  server: LlamaServer,
  tokens: readonly number[],
  closeCutsFrom: number,
  speeds: Speeds,
): Promise<number> {
  const completion = { slot: 0, tokens, sampling, maxTokens: 1, usesCache: true, closeCutsFrom };
  let cached = 0;
  for await (const { timings } of server.complete(completion, AbortSignal.timeout(60_000))) {
    speeds.read(timings);
    cached = timings.cachedTokens;
  }
  return cached;
}

/**
 * A slot's content that was overwritten must not come back: that would be the server's prompt cache (--cache-ram), which
 * looks through everybody's prompts.
 */
async function checkApart(
  server: LlamaServer,
  vocabSize: number,
  speeds: Speeds,
): Promise<boolean> {
  const beginning = tokensFrom(1, SHARED, vocabSize);
  const body = tokensFrom(3, 2 * CUT, vocabSize);
  const first = [...beginning, ...body];
  await cachedOf(server, first, 0, speeds);
  await cachedOf(server, [...beginning, ...tokensFrom(2, 84, vocabSize)], 0, speeds);
  if ((await cachedOf(server, first, 0, speeds)) > SHARED) {
    throw wrong(
      "llama.cpp's server looks for prompts in a cache that all tenants share: start it with --cache-ram 0.",
    );
  }
  const cut = [...beginning, ...body.slice(CUT), ...tokensFrom(5, 4, vocabSize)];
  return (await cachedOf(server, cut, CUT, speeds)) >= SHARED + CUT;
}

/** Null = contexts live in slots alone. Throws KvShareError `config_invalid` when the server saves elsewhere. */
export async function openSaved(
  server: LlamaServer,
  { store }: AdapterOptions,
  onEvict: (segment: string) => void,
): Promise<SavedContexts | null> {
  const { folder } = store;
  if (folder === null) return null;
  const saved = await SavedContexts.open({ ...store, folder, onEvict });
  const name = 'probe';
  await server.save(0, SavedContexts.fileOf(name));
  await saved.add(name, 2 * CUT).catch(() => {
    throw wrong(`llama.cpp's server does not save to ${folder}: give both the same folder.`);
  });
  await saved.clear();
  return saved;
}

export interface CheckedServer {
  readonly shape: ServerShape;
  /** Whether it moves up what follows a cut. */
  readonly canCloseCuts: boolean;
}

/** Throws KvShareError `config_invalid`, or `runner_unavailable`. */
export async function checkServer(
  server: LlamaServer,
  options: AdapterOptions,
  speeds: Speeds,
): Promise<CheckedServer> {
  await server.health();
  const shape = await server.shape();
  await checkModel(server, shape, options);
  await eraseAll(server, shape.slots);
  const canCloseCuts = await checkApart(server, shape.vocabSize, speeds);
  await eraseAll(server, shape.slots);
  return { shape, canCloseCuts };
}
