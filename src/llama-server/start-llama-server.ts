// llama.cpp's server as a process of ours: started on a model file, ready when it answers, ended.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { KvShareError } from '../errors.ts';

export interface LlamaProcessOptions {
  readonly binary: string;
  readonly modelPath: string;
  /** Conversations that it keeps and serves at once. */
  readonly slots: number;
  readonly contextPerSlot: number;
  readonly threads: number;
  /** Where it listens; else a free one. */
  readonly port?: number;
  /** Beside these, as on its command line. */
  readonly extraArgs?: readonly string[];
}

export interface LlamaProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** It closes its connections behind a stream without saying so: every request needs a new one. */
export const peerHeaders = { connection: 'close' } as const;

const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const TAIL_CHARACTERS = 2_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function argsOf(options: LlamaProcessOptions, port: number): string[] {
  const { modelPath, slots, contextPerSlot, threads } = options;
  return [
    ...['--model', modelPath, '--host', '127.0.0.1', '--port', `${port}`],
    ...['--parallel', `${slots}`, '--ctx-size', `${slots * contextPerSlot}`],
    ...['--threads', `${threads}`, '--threads-batch', `${threads}`],
    '--no-ui',
    ...(options.extraArgs ?? []),
  ];
}

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/health`).then(
    (response) => response.ok,
    () => false,
  );

/** Throws KvShareError `child_failed` when it does not come up. */
export async function startLlamaServer(options: LlamaProcessOptions): Promise<LlamaProcess> {
  const port = options.port ?? (await freePort());
  const child = spawn(options.binary, argsOf(options, port), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let tail = '';
  child.stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-TAIL_CHARACTERS);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      tail += error.message;
      resolve();
    });
  });
  const gone = (): boolean => child.pid === undefined || child.exitCode !== null;
  const url = `http://127.0.0.1:${port}`;
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (!(await answers(url))) {
    if (gone() || performance.now() > giveUpAt) {
      child.kill('SIGKILL');
      const end = tail.trim().split('\n').at(-1) ?? '';
      throw new KvShareError('child_failed', `${options.binary} does not start: ${end}`);
    }
    await sleep(POLL_MS);
  }
  return {
    url,
    close: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
