// Tokens a second of both: prefill, beside what the backend can multiply at most, and decoding.
import { passagesFrom } from '../passages.ts';
import { median } from '../statistics.ts';
import { ttftCase } from '../ttft-cases.ts';
import {
  askFreshPeer,
  askOurs,
  checkSamePrompt,
  keyOf,
  startPeer,
  type Contest,
} from './contest.ts';
import { measureDecode, type DecodeSpeeds } from './decode.ts';
import { peerHeaders } from '../../llama-server/index.ts';

export interface PrefillSpeeds {
  readonly promptTokens: number;
  readonly kvshareTokensPerSecond: number;
  readonly peerTokensPerSecond: number;
  /** Multiplying with the model's weights alone. */
  readonly matmulLimitTokensPerSecond: number;
  /** Attention's products as well. */
  readonly matmulLimitWithAttentionTokensPerSecond: number;
}

export interface DecodeReport {
  readonly contextTokens: number;
  readonly newTokens: number;
  readonly kvshareTokensPerSecond: DecodeSpeeds;
  readonly peerTokensPerSecond: DecodeSpeeds;
}

/** In the middle of decoding. */
const DECODE_CONTEXT = 256;
const DECODE_STREAMS = 8;

/** Prompt tokens a second, cold, as both servers time themselves. */
export async function measurePrefill(
  contest: Contest,
  tenant: string,
  tokens: number,
  multiplyBare: (rows: number) => Promise<{ weightsMs: number; attentionMs: number }>,
): Promise<PrefillSpeeds> {
  const { target } = ttftCase('unrelated', tokens);
  const [ours, theirs]: [number[], number[]] = [[], []];
  let promptTokens = 0;
  for (let round = 0; round < contest.repeat; round++) {
    const answer = await askOurs(contest, tenant, target, 'bypass, no-store');
    const peer = await askFreshPeer(contest, { donors: [], target }, 1);
    checkSamePrompt(answer.promptTokens, peer);
    promptTokens = answer.promptTokens;
    ours.push((1000 * promptTokens) / answer.timings.prefillMs);
    theirs.push((1000 * peer.promptTokens) / peer.promptMs);
  }
  const { weightsMs, attentionMs } = await multiplyBare(promptTokens);
  return {
    promptTokens,
    kvshareTokensPerSecond: median(ours),
    peerTokensPerSecond: median(theirs),
    matmulLimitTokensPerSecond: (1000 * promptTokens) / weightsMs,
    matmulLimitWithAttentionTokensPerSecond: (1000 * promptTokens) / (weightsMs + attentionMs),
  };
}

export async function measureDecodes(
  contest: Contest,
  tenant: string,
  newTokens: number,
  cutTo: (text: string, tokens: number) => string,
): Promise<DecodeReport> {
  const prompt = cutTo(passagesFrom(0, 4).join('\n\n'), DECODE_CONTEXT - newTokens / 2);
  const kvshareTokensPerSecond = await measureDecode({
    url: `${contest.served.url}/v1/completions`,
    headers: { authorization: `Bearer ${keyOf(tenant)}` },
    body: { model: 'default', prompt, max_tokens: newTokens, temperature: 0, stream: true },
  });
  const peer = await startPeer(contest, DECODE_STREAMS);
  try {
    const peerTokensPerSecond = await measureDecode({
      url: `${peer.url}/completion`,
      headers: peerHeaders,
      body: { prompt, n_predict: newTokens, temperature: 0, ignore_eos: true, stream: true },
    });
    const shape = { contextTokens: DECODE_CONTEXT, newTokens };
    return { ...shape, kvshareTokensPerSecond, peerTokensPerSecond };
  } finally {
    await peer.close();
  }
}
