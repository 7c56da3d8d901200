// `kvshare drill --poison`: a served KVShare whose stored KV is spoiled on purpose. Real requests, real comparisons; the
// route has to be made to reuse less, and to come back once the store is sound again.
import { setTimeout as sleep } from 'node:timers/promises';
import { timedRequest, type ChatTurn } from '../harness/index.ts';
import { patientCards, questions, wardGuidelines } from '../samples/index.ts';
import { guardOf, type GuardView } from './guard-view.ts';

export interface DrillOptions {
  readonly url: string;
  readonly apiKey: string;
  /** Spoils what is stored; how many pages. */
  readonly poison: () => number;
  /** Drops what is stored. */
  readonly cure: () => void;
  readonly print: (line: string) => void;
}

/** What happened while the store was in one state. */
export interface DrillPhase {
  readonly phase: 'sound' | 'spoiled' | 'sound again';
  readonly requests: number;
  /** Requests that imported something beyond the exact prefix. */
  readonly reused: number;
  readonly compared: number;
  /** Highest rolling mean of KL that was seen, nats; null without a comparison of what was served. */
  readonly worstKl: number | null;
  readonly rung: string;
  readonly trips: number;
}

export interface DrillReport {
  readonly phases: readonly DrillPhase[];
  readonly tripped: boolean;
  readonly reopened: boolean;
}

const SYSTEM = 'You are a ward assistant. Answer from the passages in one short sentence.';
const PASSAGES = 2;
const MAX_TOKENS = 8;
/** Comparisons run when nobody is served; so long after a request one is given up. */
const PATIENCE_MS = 20_000;

/** The same two passages behind the card of somebody else each time. */
function prompt(at: number): ChatTurn[] {
  const card = patientCards[at % patientCards.length]!;
  const bed = `Bed ${at + 1}, ward ${1 + (at % 7)}.`;
  const passages = wardGuidelines.slice(0, PASSAGES);
  const question = questions[at % questions.length]!;
  return [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: [`${bed} ${card}`, ...passages, question].join('\n\n') },
  ];
}

class Drill {
  readonly #options: DrillOptions;
  #sent = 0;

  constructor(options: DrillOptions) {
    this.#options = options;
  }

  state(): Promise<GuardView> {
    const { url, apiKey } = this.#options;
    return guardOf(url, apiKey, prompt(0));
  }

  /** Requests until `isOver`, or this many. */
  async phase(
    phase: DrillPhase['phase'],
    most: number,
    isOver: (state: GuardView) => boolean,
  ): Promise<DrillPhase> {
    const { print } = this.#options;
    const start = await this.state();
    let state = start;
    let [requests, reused] = [0, 0];
    let worstKl: number | null = null;
    while (requests < most && !isOver(state)) {
      const isReused = await this.#ask();
      requests++;
      if (isReused) reused++;
      state = await this.#compared(state, requests > 1);
      const { kl } = state.served;
      if (kl !== null) worstKl = Math.max(worstKl ?? 0, kl);
      const mean = kl === null ? 'no comparison yet' : `mean KL ${kl.toFixed(4)} nats`;
      print(`${phase}: request ${requests}, ${state.rung}, ${mean}`);
    }
    const { rung, trips, compared } = state;
    return { phase, requests, reused, compared: compared - start.compared, worstKl, rung, trips };
  }

  async #ask(): Promise<boolean> {
    const { url, apiKey } = this.#options;
    const messages = prompt(this.#sent++);
    const answer = await timedRequest({ url, apiKey, messages, maxTokens: MAX_TOKENS });
    return answer.importedTokens > 0;
  }

  /** The state once the request's comparison has arrived; the first request of a phase may have no donor. */
  async #compared(before: GuardView, isExpected: boolean): Promise<GuardView> {
    const until = performance.now() + (isExpected ? PATIENCE_MS : PATIENCE_MS / 10);
    for (;;) {
      const state = await this.state();
      const hasMoved = state.compared > before.compared || state.rung !== before.rung;
      if (hasMoved || performance.now() > until) return state;
      await sleep(20);
    }
  }
}

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const drill = new Drill(options);
  const sound = await drill.phase('sound', 12, ({ served }) => served.samples >= 5);
  options.print(`spoiled: ${options.poison()} pages of stored KV hold other tokens' values now`);
  const spoiled = await drill.phase('spoiled', 40, ({ trips }) => trips > sound.trips);
  options.cure();
  const again = await drill.phase('sound again', 80, ({ rung }) => rung === sound.rung);
  return {
    phases: [sound, spoiled, again],
    tripped: sound.trips === 0 && spoiled.trips > 0,
    reopened: again.rung === sound.rung,
  };
}

export function formatDrill({ phases, tripped, reopened }: DrillReport): string {
  const head = 'store         requests  reused  compared  worst mean KL  served with  trips';
  const rows = phases.map(({ phase, requests, reused, compared, worstKl, rung, trips }) =>
    [
      phase.padEnd(12),
      `${requests}`.padStart(9),
      `${reused}`.padStart(7),
      `${compared}`.padStart(9),
      (worstKl === null ? '-' : worstKl.toFixed(4)).padStart(14),
      ` ${rung.padEnd(11)}`,
      `${trips}`.padStart(6),
    ].join(' '),
  );
  const verdict = tripped
    ? `The guard tripped; the route ${reopened ? 'came back' : 'has not come back yet'}.`
    : 'THE GUARD DID NOT TRIP.';
  return [head, ...rows, '', verdict].join('\n');
}
