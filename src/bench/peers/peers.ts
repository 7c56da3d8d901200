// `bench peers`: the same prompts on llama.cpp's server and here, by turns in one run, on the same model file and number
// of threads. Every measured request of the peer is asked of a fresh process that has seen the donors and nothing else;
// ours is `no-store`. The peer runs with one slot and with four; what counts is the one that was faster.
import { KvShareError } from '../../errors.ts';
import { serveTenants, timedRequest, type Served } from '../../harness/index.ts';
import { passagesFrom } from '../passages.ts';
import { median } from '../statistics.ts';
import { ttftCase, type TtftCase, type TtftFamily } from '../ttft-cases.ts';
import { askPeer, type PeerAnswer } from './ask-peer.ts';
import { measureDecode, type DecodeSpeeds } from './decode.ts';
import { peerHeaders, startLlamaServer } from './llama-server.ts';

export interface PeersOptions {
  readonly llamaServer: string;
  readonly modelPath: string;
  readonly families: readonly TtftFamily[];
  readonly tokens: readonly number[];
  readonly repeat: number;
  readonly threads: number;
  /** Text of about this many tokens, for the prompts whose decoding is timed. */
  readonly cutTo: (text: string, tokens: number) => string;
  /** Milliseconds of the model's matrix multiplications, bare, for so many tokens. */
  readonly multiplyBare: (rows: number) => Promise<{ weightsMs: number; attentionMs: number }>;
  readonly serveArgs: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress: (done: number, total: number, label: string) => void;
}

interface PeerResult {
  readonly peerMs: number;
  readonly peerCachedTokens: number;
}

export interface PeerCase extends PeerResult {
  readonly family: TtftFamily;
  readonly promptTokens: number;
  readonly kvshareMs: number;
  /** peerMs / kvshareMs. */
  readonly ratio: number;
  /** Of the faster peer, which the other fields are about. */
  readonly peerSlots: number;
  readonly outcome: string;
  readonly bySlots: Readonly<Record<string, PeerResult>>;
}

export interface PeersReport {
  readonly suite: 'peers';
  readonly threads: number;
  readonly repeat: number;
  readonly cases: readonly PeerCase[];
  readonly prefill: {
    readonly promptTokens: number;
    readonly kvshareTokensPerSecond: number;
    readonly peerTokensPerSecond: number;
    /** Multiplying with the model's weights alone. */
    readonly matmulLimitTokensPerSecond: number;
    /** Attention's products as well. */
    readonly matmulLimitWithAttentionTokensPerSecond: number;
  };
  readonly decode: {
    readonly contextTokens: number;
    readonly newTokens: number;
    readonly kvshareTokensPerSecond: DecodeSpeeds;
    readonly peerTokensPerSecond: DecodeSpeeds;
  };
}

const SLOTS = [1, 4] as const;
const CONTEXT = 4096;
const MAX_TOKENS = 2;
/** In the middle of decoding the context has 256 tokens. */
const DECODE_TOKENS = 64;
const DECODE_PROMPT = 256 - DECODE_TOKENS / 2;
const DECODE_STREAMS = 8;
const DECODE_TENANT = 'decode';

const keyOf = (name: string): string => `key-${name}`;

/** One measured request of a peer that knows the donors. */
async function askFreshPeer(
  item: Pick<TtftCase, 'donors' | 'target'>,
  slots: number,
  options: PeersOptions,
): Promise<PeerAnswer> {
  const { llamaServer: binary, modelPath, threads } = options;
  const peer = await startLlamaServer({
    binary,
    modelPath,
    threads,
    slots,
    contextPerSlot: CONTEXT,
  });
  try {
    for (const donor of item.donors) await askPeer(peer.url, donor, 1);
    return await askPeer(peer.url, item.target, MAX_TOKENS);
  } finally {
    await peer.close();
  }
}

const askOurs = (served: Served, tenant: string, messages: TtftCase['target'], cache?: string) =>
  timedRequest({
    url: served.url,
    apiKey: keyOf(tenant),
    messages,
    maxTokens: MAX_TOKENS,
    ...(cache !== undefined && { cacheControl: cache }),
  });

const peerResult = (answers: readonly PeerAnswer[]): PeerResult => ({
  peerMs: median(answers.map(({ ttftMs }) => ttftMs)),
  peerCachedTokens: median(answers.map(({ cachedTokens }) => cachedTokens)),
});

/** Two servers that count the same prompt differently do not get the same prompt. */
function checkSamePrompt(ours: number, { cachedTokens, promptTokens }: PeerAnswer): void {
  if (cachedTokens + promptTokens === ours) return;
  throw new KvShareError(
    'internal_error',
    `The prompt has ${ours} tokens here and ${cachedTokens + promptTokens} for the peer.`,
  );
}

async function measureCase(
  served: Served,
  tenant: string,
  item: TtftCase,
  options: PeersOptions,
): Promise<PeerCase> {
  for (const donor of item.donors) await askOurs(served, tenant, donor);
  const ours: Awaited<ReturnType<typeof askOurs>>[] = [];
  const theirs = SLOTS.map((slots) => ({ slots, answers: [] as PeerAnswer[] }));
  for (let round = 0; round < options.repeat; round++) {
    const answer = await askOurs(served, tenant, item.target, 'no-store');
    ours.push(answer);
    for (const { slots, answers } of theirs) {
      const peer = await askFreshPeer(item, slots, options);
      checkSamePrompt(answer.promptTokens, peer);
      answers.push(peer);
    }
  }
  const results = theirs.map(({ slots, answers }) => ({ slots, ...peerResult(answers) }));
  const { slots: peerSlots, ...best } = results.reduce((a, b) => (b.peerMs < a.peerMs ? b : a));
  const kvshareMs = median(ours.map(({ ttftMs }) => ttftMs));
  return {
    family: item.family,
    promptTokens: ours[0]!.promptTokens,
    kvshareMs,
    ...best,
    ratio: best.peerMs / kvshareMs,
    peerSlots,
    outcome: ours.at(-1)!.outcome,
    bySlots: Object.fromEntries(results.map(({ slots, ...result }) => [`${slots}`, result])),
  };
}

/** Prompt tokens a second, cold, as both servers time themselves. */
async function measurePrefill(
  served: Served,
  options: PeersOptions,
): Promise<PeersReport['prefill']> {
  const { target } = ttftCase('unrelated', options.tokens[0]!);
  const [ours, theirs]: [number[], number[]] = [[], []];
  let promptTokens = 0;
  for (let round = 0; round < options.repeat; round++) {
    const answer = await askOurs(served, DECODE_TENANT, target, 'bypass, no-store');
    const peer = await askFreshPeer({ donors: [], target }, 1, options);
    checkSamePrompt(answer.promptTokens, peer);
    promptTokens = answer.promptTokens;
    ours.push((1000 * promptTokens) / answer.timings.prefillMs);
    theirs.push((1000 * peer.promptTokens) / peer.promptMs);
  }
  const { weightsMs, attentionMs } = await options.multiplyBare(promptTokens);
  return {
    promptTokens,
    kvshareTokensPerSecond: median(ours),
    peerTokensPerSecond: median(theirs),
    matmulLimitTokensPerSecond: (1000 * promptTokens) / weightsMs,
    matmulLimitWithAttentionTokensPerSecond: (1000 * promptTokens) / (weightsMs + attentionMs),
  };
}

async function measureDecodes(
  served: Served,
  options: PeersOptions,
): Promise<PeersReport['decode']> {
  const prompt = options.cutTo(passagesFrom(0, 4).join('\n\n'), DECODE_PROMPT);
  const kvshareTokensPerSecond = await measureDecode({
    url: `${served.url}/v1/completions`,
    headers: { authorization: `Bearer ${keyOf(DECODE_TENANT)}` },
    body: { model: 'default', prompt, max_tokens: DECODE_TOKENS, temperature: 0, stream: true },
  });
  const { llamaServer: binary, modelPath, threads } = options;
  const slots = { slots: DECODE_STREAMS, contextPerSlot: 1024 };
  const peer = await startLlamaServer({ binary, modelPath, threads, ...slots });
  try {
    const peerTokensPerSecond = await measureDecode({
      url: `${peer.url}/completion`,
      headers: peerHeaders,
      body: { prompt, n_predict: DECODE_TOKENS, temperature: 0, ignore_eos: true, stream: true },
    });
    const shape = { contextTokens: 256, newTokens: DECODE_TOKENS };
    return { ...shape, kvshareTokensPerSecond, peerTokensPerSecond };
  } finally {
    await peer.close();
  }
}

export async function runPeers(options: PeersOptions): Promise<PeersReport> {
  const { onProgress, threads, repeat } = options;
  const items = options.tokens.flatMap((tokens) =>
    options.families.map((family) => ttftCase(family, tokens)),
  );
  const tenants = items.map((_, at) => `case-${at}`);
  const served = await serveTenants({
    tenants: [...tenants, DECODE_TENANT].map((name) => ({ name, key: keyOf(name) })),
    args: options.serveArgs,
    env: options.env,
  });
  const total = items.length + 2;
  try {
    const cases: PeerCase[] = [];
    for (const [at, item] of items.entries()) {
      onProgress(at, total, `${item.family} at ${item.tokens} tokens`);
      cases.push(await measureCase(served, tenants[at]!, item, options));
    }
    onProgress(items.length, total, 'decode');
    const decode = await measureDecodes(served, options);
    onProgress(items.length + 1, total, 'prefill and bare multiplications');
    const prefill = await measurePrefill(served, options);
    return { suite: 'peers', threads, repeat, cases, prefill, decode };
  } finally {
    await served.close();
  }
}
