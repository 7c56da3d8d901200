// Time to the first token of one case, here and on the peer, by turns. The peer runs with one slot and with four; what
// counts is the one that was faster.
import type { TimedAnswer } from '../../harness/index.ts';
import { median } from '../statistics.ts';
import type { TtftCase, TtftFamily } from '../ttft-cases.ts';
import type { PeerAnswer } from './ask-peer.ts';
import { askFreshPeer, askOurs, checkSamePrompt, type Contest } from './contest.ts';

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

const SLOTS = [1, 4] as const;

const peerResult = (answers: readonly PeerAnswer[]): PeerResult => ({
  peerMs: median(answers.map(({ ttftMs }) => ttftMs)),
  peerCachedTokens: median(answers.map(({ cachedTokens }) => cachedTokens)),
});

/** Ours is asked as `tenant`, which has nothing stored. */
export async function measureCase(
  contest: Contest,
  tenant: string,
  item: TtftCase,
): Promise<PeerCase> {
  for (const donor of item.donors) await askOurs(contest, tenant, donor);
  const ours: TimedAnswer[] = [];
  const theirs = SLOTS.map((slots) => ({ slots, answers: [] as PeerAnswer[] }));
  for (let round = 0; round < contest.repeat; round++) {
    const answer = await askOurs(contest, tenant, item.target, 'no-store');
    ours.push(answer);
    for (const { slots, answers } of theirs) {
      const peer = await askFreshPeer(contest, item, slots);
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
