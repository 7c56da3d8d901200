// The real llama.cpp server on the tiny random model, and what an adapter in front of it is opened with. Where it is not
// built, the suites that need it say so and are left out.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { findLlamaServer, startLlamaServer } from '../../src/llama-server/index.ts';
import type { AdapterOptions } from '../../src/protocol/index.ts';
import { writeTinyFile } from './tiny-file.ts';
import { tinyTokenizer } from './served.ts';

const binary = await findLlamaServer(join(homedir(), '.cache', 'kvshare'));

/** `describe`, or left out with the reason in its name. */
export const describeWithLlamaServer = (name: string, body: () => void): void => {
  if (binary !== null) describe(name, body);
  else describe.skip(`${name} [llama.cpp's server is not built: run "kvshare llama-server"]`, body);
};

const CONTEXT_PER_SLOT = 512;

export interface TinyLlama {
  readonly url: string;
  readonly modelPath: string;
  readonly folder: string;
  /** Names of the files that it has saved. */
  saved(): string[];
  close(): Promise<void>;
}

export async function startTinyLlama(
  options: {
    slots?: number;
    contextPerSlot?: number;
    port?: number;
    extraArgs?: readonly string[];
  } = {},
): Promise<TinyLlama> {
  const { slots = 2, contextPerSlot = CONTEXT_PER_SLOT } = options;
  const { extraArgs = ['--cache-ram', '0'] } = options;
  const work = mkdtempSync(join(tmpdir(), 'kvshare-llama-'));
  const modelPath = join(work, 'tiny.gguf');
  const folder = mkdtempSync(join(work, 'slots-'));
  writeTinyFile(modelPath, contextPerSlot);
  const server = await startLlamaServer({
    ...{ binary: binary!, modelPath, slots, contextPerSlot, threads: 1 },
    ...(options.port !== undefined && { port: options.port }),
    extraArgs: ['--slot-save-path', folder, ...extraArgs],
  });
  return {
    url: server.url,
    modelPath,
    folder,
    saved: () => readdirSync(folder),
    close: async () => {
      await server.close();
      rmSync(work, { recursive: true, force: true });
    },
  };
}

export const adapterOptions = (
  urls: readonly string[],
  overrides: Partial<AdapterOptions> = {},
): AdapterOptions => ({
  urls,
  key: null,
  modelId: 'tiny',
  contextLength: 2048,
  serverModel: null,
  tokenizer: {
    vocabSize: tinyTokenizer.vocabSize,
    encode: (text) => Array.from(tinyTokenizer.encode(text, { special: false })),
    decode: (ids) => tinyTokenizer.decode(ids),
  },
  fingerprint: 'model-and-tokenizer',
  generation: 'gen-a',
  secret: Buffer.from('a secret of the tests'),
  sharedCache: false,
  store: { folder: null, maxBytes: 2 ** 24, maxContexts: 100 },
  onProblem: (what, error) => {
    throw new Error(what, { cause: error });
  },
  ...overrides,
});
