// The two servers that are compared, and one timed request of each. Every measured request of the peer is asked of a
// fresh process that has seen the donors and nothing else, since it would find the last round's target in its cache.
import { KvShareError } from '../../errors.ts';
import { startLlamaServer, type LlamaProcess } from '../../llama-server/index.ts';
import { timedRequest, type Served, type TimedAnswer } from '../../harness/index.ts';
import type { TtftCase } from '../ttft-cases.ts';
import { askPeer, type PeerAnswer } from './ask-peer.ts';

export interface Contest {
  /** Ours. */
  readonly served: Served;
  /** llama.cpp's: its binary, the model file of both, threads of each. */
  readonly llamaServer: string;
  readonly modelPath: string;
  readonly threads: number;
  readonly repeat: number;
}

const CONTEXT = 4096;
const MAX_TOKENS = 2;

export const keyOf = (tenant: string): string => `key-${tenant}`;

export const startPeer = (
  { llamaServer: binary, modelPath, threads }: Contest,
  slots: number,
): Promise<LlamaProcess> =>
  startLlamaServer({
    ...{ binary, modelPath, threads, slots, contextPerSlot: CONTEXT },
    extraArgs: ['--cache-reuse', '32'],
  });

export async function askFreshPeer(
  contest: Contest,
  { donors, target }: Pick<TtftCase, 'donors' | 'target'>,
  slots: number,
): Promise<PeerAnswer> {
  const peer = await startPeer(contest, slots);
  try {
    for (const donor of donors) await askPeer(peer.url, donor, 1);
    return await askPeer(peer.url, target, MAX_TOKENS);
  } finally {
    await peer.close();
  }
}

export const askOurs = (
  { served }: Contest,
  tenant: string,
  messages: TtftCase['target'],
  cache?: string,
): Promise<TimedAnswer> =>
  timedRequest({
    url: served.url,
    apiKey: keyOf(tenant),
    messages,
    maxTokens: MAX_TOKENS,
    ...(cache !== undefined && { cacheControl: cache }),
  });

/** Two servers that count the same prompt differently do not get the same prompt. */
export function checkSamePrompt(ours: number, { cachedTokens, promptTokens }: PeerAnswer): void {
  if (cachedTokens + promptTokens === ours) return;
  throw new KvShareError(
    'internal_error',
    `The prompt has ${ours} tokens here and ${cachedTokens + promptTokens} for the peer.`,
  );
}
