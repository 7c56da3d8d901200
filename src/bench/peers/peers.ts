// `bench peers`: the same prompts on llama.cpp's server and here, by turns in one run, on the same model file and number
// of threads; then how fast both read prompts and decode.
import { serveTenants } from '../../harness/index.ts';
import { ttftCase, type TtftFamily } from '../ttft-cases.ts';
import { keyOf } from './contest.ts';
import { measureCase, type PeerCase } from './measure-case.ts';
import {
  measureDecodes,
  measurePrefill,
  type DecodeReport,
  type PrefillSpeeds,
} from './measure-speeds.ts';
import type { ServeOptions } from '../serve-options.ts';

export interface PeersOptions extends ServeOptions {
  readonly llamaServer: string;
  readonly modelPath: string;
  readonly families: readonly TtftFamily[];
  readonly tokens: readonly number[];
  readonly repeat: number;
  readonly threads: number;
  /** Tokens of each answer whose decoding is timed. */
  readonly decodeTokens: number;
  /** Text of about this many tokens, for the prompts whose decoding is timed. */
  readonly cutTo: (text: string, tokens: number) => string;
  /** Milliseconds of the model's matrix multiplications, bare, for so many tokens. */
  readonly multiplyBare: (rows: number) => Promise<{ weightsMs: number; attentionMs: number }>;
}

export interface PeersReport {
  readonly suite: 'peers';
  readonly threads: number;
  readonly repeat: number;
  readonly cases: readonly PeerCase[];
  readonly prefill: PrefillSpeeds;
  readonly decode: DecodeReport;
}

const SPEED_TENANT = 'speed';

export async function runPeers(options: PeersOptions): Promise<PeersReport> {
  const { onProgress, threads, repeat } = options;
  const items = options.tokens.flatMap((tokens) =>
    options.families.map((family) => ttftCase(family, tokens)),
  );
  const tenants = items.map((_, at) => `case-${at}`);
  const served = await serveTenants({
    tenants: [...tenants, SPEED_TENANT].map((name) => ({ name, key: keyOf(name) })),
    args: options.serveArgs,
    env: options.env,
  });
  const { llamaServer, modelPath } = options;
  const contest = { served, llamaServer, modelPath, threads, repeat };
  const total = items.length + 2;
  try {
    const cases: PeerCase[] = [];
    for (const [at, item] of items.entries()) {
      onProgress(at, total, `${item.family} at ${item.tokens} tokens`);
      cases.push(await measureCase(contest, tenants[at]!, item));
    }
    onProgress(items.length, total, 'decode');
    const decode = await measureDecodes(contest, SPEED_TENANT, options.decodeTokens, options.cutTo);
    onProgress(items.length + 1, total, 'prefill and bare multiplications');
    const prefill = await measurePrefill(
      contest,
      SPEED_TENANT,
      options.tokens[0]!,
      options.multiplyBare,
    );
    return { suite: 'peers', threads, repeat, cases, prefill, decode };
  } finally {
    await served.close();
  }
}
