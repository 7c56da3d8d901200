// Which waiting request is served next. `fifo`: the first that came. `reuse-aware` (KVShare's collaborative
// scheduling, arXiv 2503.16525 §4.4): the one with the least left to compute after reuse, within two rules.
//
// Between scopes, turns are given in order of arrival. A scope that reuses much gains nothing over others
// and loses nothing to them: each turn goes to a request that is no longer than the one whose turn it would
// be. And which of its requests a scope gets served first never depends on what others reuse: wherever others
// come into the reckoning, they count as if they reused nothing.
//
// Inside a scope, a request may be overtaken by later ones, but never by more work than its scope had to do
// when it came, itself included; the turns of other scopes in between count, too. So its first token comes after
// at most twice the time that it would take under fifo, whatever comes behind it and whatever others reuse.
import type { Scheduler } from '../schedulers.ts';

export interface Job {
  readonly scope: string;
  /** Tokens left to compute after reuse. */
  readonly work: number;
  /** Tokens to compute without any reuse. */
  readonly tokens: number;
}

interface Waiting<T> extends Job {
  readonly item: T;
  /** How much more work of those who came later may be done before it. */
  patience: number;
}

/** Made for a request when it comes; another one of its scope may use it. */
type Turn = Pick<Job, 'scope' | 'tokens'>;

const total = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);

export class WaitingQueue<T> {
  readonly #scheduler: Scheduler;
  /** By arrival. */
  readonly #waiting: Waiting<T>[] = [];
  /** Whose turn it is: one for each waiting request, by arrival. */
  readonly #turns: Turn[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** `running`: what is left of the prompt that is being computed. */
  add(item: T, job: Job, running: Job | null): void {
    const { scope, tokens } = job;
    const before = running ? [running, ...this.#waiting] : this.#waiting;
    const own = before.filter((other) => other.scope === scope);
    this.#waiting.push({ ...job, item, patience: total([...own, job].map((o) => o.work)) });
    this.#turns.push({ scope, tokens });
  }

  /** Takes the next one out. */
  next(): T | undefined {
    if (!this.#turns[0]) return undefined;
    const { scope } = this.#turns[0];
    const own = this.#waiting.filter((entry) => entry.scope === scope);
    const between = this.#workBetweenTurns(scope);
    const chosen = this.#choose(own, between);
    own.slice(0, own.indexOf(chosen)).forEach((earlier, rank) => {
      earlier.patience -= chosen.work + between[rank]!;
    });
    this.#turns.shift();
    this.#waiting.splice(this.#waiting.indexOf(chosen), 1);
    return chosen.item;
  }

  /** One that no longer wants to be served gives up a turn: that of its place among its scope's. */
  remove(item: T): void {
    const at = this.#waiting.findIndex((entry) => entry.item === item);
    if (at < 0) return;
    const { scope } = this.#waiting[at]!;
    const rank = this.#waiting.slice(0, at).filter((entry) => entry.scope === scope).length;
    const turns = this.#turns.flatMap((turn, index) => (turn.scope === scope ? [index] : []));
    this.#turns.splice(turns[rank]!, 1);
    this.#waiting.splice(at, 1);
  }

  /** By each of this scope's turns but the last: what others do until the next one. */
  #workBetweenTurns(scope: string): number[] {
    const between: number[] = [];
    let others = 0;
    for (const turn of this.#turns.slice(1)) {
      if (turn.scope === scope) between.push(others);
      others = turn.scope === scope ? 0 : others + turn.tokens;
    }
    return between;
  }

  /** Of one scope's requests, by arrival: each has a turn by now, and an overtaken one goes to its next. */
  #choose(own: readonly Waiting<T>[], between: readonly number[]): Waiting<T> {
    let chosen = own[0]!;
    if (this.#scheduler === 'fifo') return chosen;
    let patience = Infinity;
    own.forEach((entry, rank) => {
      if (entry.work < chosen.work && entry.work <= patience) chosen = entry;
      patience = Math.min(patience, entry.patience - (between[rank] ?? 0));
    });
    return chosen;
  }
}
