// The readable form of a report of `bench peers`.
import type { PeersReport } from './peers.ts';

export function formatPeers({ cases, prefill, decode, threads, repeat }: PeersReport): string {
  const ms = (value: number): string => value.toFixed(0).padStart(8);
  const rate = (value: number): string => value.toFixed(1).padStart(9);
  const rows = cases.map((c) =>
    [
      c.family.padEnd(22),
      `${c.promptTokens}`.padStart(6),
      ms(c.kvshareMs),
      ms(c.peerMs),
      `${c.ratio.toFixed(1)}x`.padStart(7),
      `${c.peerCachedTokens}`.padStart(11),
      Object.entries(c.bySlots)
        .map(([slots, { peerMs }]) => `${slots}: ${peerMs.toFixed(0)}`)
        .join('  '),
    ].join(' '),
  );
  const { kvshareTokensPerSecond: ours, peerTokensPerSecond: theirs } = decode;
  return [
    `${threads} threads each, time to the first token in ms, medians of ${repeat}`,
    'family                 tokens  kvshare     peer  sooner peer cached by slots',
    ...rows,
    `prefill of ${prefill.promptTokens} tokens, tokens/s: kvshare ${rate(prefill.kvshareTokensPerSecond)}, peer ${rate(prefill.peerTokensPerSecond)}`,
    `  bare multiplications: with the weights ${rate(prefill.matmulLimitTokensPerSecond)}, and attention's ${rate(prefill.matmulLimitWithAttentionTokensPerSecond)}`,
    `decode at ${decode.contextTokens} tokens, tokens/s: one stream ${rate(ours.one)} (peer ${rate(theirs.one)}), eight ${rate(ours.eight)} (peer ${rate(theirs.eight)})`,
  ].join('\n');
}
