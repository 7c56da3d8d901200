// Who is measured: llama.cpp's server behind a sidecar with our adapter, and the same server by itself, each a process of
// its own with as many slots, asked over HTTP.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveTenants, timedRequest } from '../../harness/index.ts';
import { startLlamaServer, type LlamaProcess } from '../../llama-server/index.ts';
import { askPeer } from '../peers/ask-peer.ts';
import type { TraceRequest } from '../trace-file.ts';

export interface ContestantOptions {
  readonly llamaServer: string;
  readonly modelPath: string;
  readonly threads: number;
  readonly slots: number;
  readonly contextPerSlot: number;
  /** Most bytes of contexts in files; for the adapter. */
  readonly maxMiB: number;
  readonly tenants: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface ContestAnswer {
  readonly ttftMs: number;
  readonly promptTokens: number;
  /** As the server says. */
  readonly cachedTokens: number;
}

export interface Contestant {
  readonly name: ContestantName;
  ask(request: TraceRequest, maxTokens: number): Promise<ContestAnswer>;
  close(): Promise<void>;
}

/** `alone` is the server as it comes; `alone-apart` without the prompt cache in which it looks through everybody's prompts. */
export const contestantNames = ['adapter', 'alone', 'alone-apart'] as const;
export type ContestantName = (typeof contestantNames)[number];

const start = (options: ContestantOptions, extraArgs: readonly string[]): Promise<LlamaProcess> =>
  startLlamaServer({ binary: options.llamaServer, ...options, extraArgs });

async function startAlone(name: ContestantName, options: ContestantOptions): Promise<Contestant> {
  const server = await start(options, name === 'alone' ? [] : ['--cache-ram', '0']);
  return {
    name,
    ask: async ({ messages }, maxTokens) => {
      const { ttftMs, cachedTokens, promptTokens } = await askPeer(server.url, messages, maxTokens);
      return { ttftMs, cachedTokens, promptTokens: cachedTokens + promptTokens };
    },
    close: () => server.close(),
  };
}

async function startAdapter(options: ContestantOptions): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), 'kvshare-slots-'));
  const { tenants, env, modelPath, maxMiB } = options;
  const server = await start(options, ['--cache-ram', '0', '--slot-save-path', folder]);
  const sidecar = await serveTenants({
    command: 'sidecar',
    tenants: tenants.map((name) => ({ name, key: `key-${name}` })),
    config: { adapter: { name: 'llama-cpp', urls: [server.url], folder, maxMiB } },
    args: ['--model', modelPath, '--log-level', 'warn'],
    env,
  }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
  return {
    name: 'adapter',
    ask: async ({ tenant, user, messages }, maxTokens) => {
      const apiKey = `key-${tenant}`;
      const answer = await timedRequest({ url: sidecar.url, apiKey, user, messages, maxTokens });
      const { ttftMs, promptTokens, exactTokens, importedTokens } = answer;
      return { ttftMs, promptTokens, cachedTokens: exactTokens + importedTokens };
    },
    close: async () => {
      await sidecar.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const startContestant = (
  name: ContestantName,
  options: ContestantOptions,
): Promise<Contestant> => (name === 'adapter' ? startAdapter(options) : startAlone(name, options));
