// The watch over one tenant's answers on one route: comparisons with full prefill come in, the rung that serves comes out.
// A budget that is left for sure sends it one rung down (an alert); clean comparisons of the rung above bring it back up,
// more of them each time.
import { firstRung, ladderOf, type Rung, type RungName } from './ladder.ts';
import {
  isOutside,
  isWithin,
  QualityWindow,
  type Estimate,
  type QualityBudget,
  type QualitySample,
} from './quality-window.ts';
import type { RouteReuse } from './read-reuse.ts';

/** Comparisons of the serving rung that are remembered. */
const REMEMBERED = 64;
/** Nothing is concluded from fewer. */
const LEAST = 4;
/** Clean comparisons that bring it back up, the first time. */
const CLEAN = 20;
/** Whoever keeps falling needs at most so many times more. */
const MOST_DOUBLINGS = 3;
/** A watch with fewer comparisons is young. */
const YOUNG = 20;
const YOUNG_SHARE = 0.1;
/** Share of requests compared where the means are outside of the budget, until it is certain. */
const SUSPICIOUS_SHARE = 0.5;

export interface Standing {
  readonly served: Rung;
  /** The rung above, computed beside what is served; null at the top. */
  readonly tried: Rung | null;
}

/** A move between rungs. */
export interface Move {
  readonly from: RungName;
  readonly to: RungName;
  readonly isTrip: boolean;
  /** What it rests on. */
  readonly estimate: Estimate;
}

export interface WatchState {
  /** The rung that serves. */
  readonly rung: RungName;
  readonly trips: number;
  /** Comparisons since it began, or the route's settings changed. */
  readonly compared: number;
  /** Of the answers that are served. */
  readonly served: Estimate;
  /** Of the rung above; null at the top. */
  readonly tried: (Estimate & { readonly rung: RungName; readonly needed: number }) | null;
}

/** What outlives a restart: numbers. */
export interface SavedState {
  readonly rung: RungName;
  readonly trips: number;
  readonly compared: number;
  readonly served: readonly QualitySample[];
  readonly tried: readonly QualitySample[];
}

const placeOf = (ladder: readonly Rung[], rung: RungName | undefined): number =>
  ladder.findIndex(({ name }) => name === rung);

export class QualityWatch {
  readonly #ladder: readonly Rung[];
  #at: number;
  #trips = 0;
  #compared = 0;
  readonly #served: QualityWindow;
  #tried: QualityWindow;

  /** `from`: where it goes on; else `begin` says on which rung it begins, where the ladder has that. */
  constructor(
    { options, qualityBudget }: RouteReuse,
    from: SavedState | null,
    begin: RungName | null = null,
  ) {
    this.#ladder = ladderOf(options);
    const at = placeOf(this.#ladder, from?.rung ?? begin ?? undefined);
    this.#at = at < 0 ? firstRung(options) : at;
    this.#trips = from?.trips ?? 0;
    this.#compared = from?.compared ?? 0;
    this.#served = new QualityWindow(REMEMBERED, from?.served);
    this.#tried = this.#trials(qualityBudget, from?.tried);
  }

  get standing(): Standing {
    return { served: this.#ladder[this.#at]!, tried: this.#ladder[this.#at - 1] ?? null };
  }

  /** Whether it stands where it stands by its own answers. */
  get isSettled(): boolean {
    return this.#trips > 0 || this.#compared >= YOUNG;
  }

  /** The share of its reused requests that should be compared with a full prefill, 0..1. */
  shareOf(budget: QualityBudget): number {
    const { share } = budget;
    if (share === 0) return 0;
    const { estimate } = this.#served;
    if (estimate.samples > 0 && !isWithin(estimate, budget)) {
      return Math.max(share, SUSPICIOUS_SHARE);
    }
    return this.#compared < YOUNG ? Math.max(share, YOUNG_SHARE) : share;
  }

  /** One comparison of a rung; the move that follows from it, null = none. */
  record(budget: QualityBudget, rung: RungName, sample: QualitySample): Move | null {
    this.#compared++;
    const at = this.#at;
    if (this.#ladder[at]?.name === rung) {
      this.#served.add(sample);
      const { estimate } = this.#served;
      const leaves = estimate.samples >= LEAST && isOutside(estimate, budget);
      // Below the exact prefix there is nothing to go to.
      return leaves && at < this.#ladder.length - 1 ? this.#move(budget, at + 1, estimate) : null;
    }
    // It has moved since the comparison was asked for.
    if (this.#ladder[at - 1]?.name !== rung) return null;
    this.#tried.add(sample);
    const { estimate } = this.#tried;
    const earned = estimate.samples >= this.#needed(budget) && isWithin(estimate, budget);
    return earned ? this.#move(budget, at - 1, estimate) : null;
  }

  stateFor(budget: QualityBudget): WatchState {
    const above = this.#ladder[this.#at - 1];
    const needed = this.#needed(budget);
    return {
      rung: this.#ladder[this.#at]!.name,
      trips: this.#trips,
      compared: this.#compared,
      served: this.#served.estimate,
      tried: above ? { ...this.#tried.estimate, rung: above.name, needed } : null,
    };
  }

  save(): SavedState {
    return {
      rung: this.#ladder[this.#at]!.name,
      trips: this.#trips,
      compared: this.#compared,
      served: this.#served.samples,
      tried: this.#tried.samples,
    };
  }

  #move(budget: QualityBudget, to: number, estimate: Estimate): Move {
    const from = this.#at;
    this.#at = to;
    this.#served.clear();
    if (to > from) this.#trips++;
    this.#tried = this.#trials(budget);
    const name = (at: number): RungName => this.#ladder[at]!.name;
    return { from: name(from), to: name(to), isTrip: to > from, estimate };
  }

  #needed(budget: QualityBudget): number {
    const isTrial = this.#ladder[this.#at]?.name === 'substitute';
    const doublings = Math.min(MOST_DOUBLINGS, Math.max(0, this.#trips - 1));
    return (isTrial ? budget.samples : CLEAN) * 2 ** doublings;
  }

  #trials(budget: QualityBudget, samples: readonly QualitySample[] = []): QualityWindow {
    return new QualityWindow(this.#needed(budget), samples);
  }
}
