// Keeps watch over the answers of each route: comparisons with full prefill come in, the rung that serves comes out.
// A budget that is left for sure sends a route one rung down (an alert); clean comparisons of the rung above bring it
// back up, more of them each time.
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
import type { Route } from './route.ts';

/** Comparisons of the serving rung that are remembered. */
const REMEMBERED = 64;
/** Nothing is concluded from fewer. */
const LEAST = 4;
/** Clean comparisons that bring a route back up, the first time. */
const CLEAN = 20;
/** A route that keeps falling needs at most so many times more. */
const MOST_DOUBLINGS = 3;
/** A route without this many comparisons is young. */
const YOUNG = 20;
const YOUNG_SHARE = 0.1;
/** Share of requests compared where the means are outside of the budget, until it is certain. */
const SUSPICIOUS_SHARE = 0.5;

export interface GuardState {
  readonly route: string;
  /** The rung that serves. */
  readonly rung: RungName;
  readonly trips: number;
  /** Comparisons since the route was first seen, or its settings changed. */
  readonly compared: number;
  /** Of the answers that are served. */
  readonly served: Estimate;
  /** Of the rung above; null at the top. */
  readonly tried: (Estimate & { readonly rung: RungName; readonly needed: number }) | null;
}

export interface Standing {
  readonly served: Rung;
  /** The rung above, computed beside what is served; null at the top. */
  readonly tried: Rung | null;
}

/** A move between rungs. */
export interface GuardMove {
  readonly route: string;
  readonly from: RungName;
  readonly to: RungName;
  readonly isTrip: boolean;
  /** What it rests on. */
  readonly estimate: Estimate;
}

interface Watch {
  /** Equal for equal settings. */
  readonly key: string;
  readonly ladder: readonly Rung[];
  at: number;
  trips: number;
  compared: number;
  readonly served: QualityWindow;
  tried: QualityWindow;
}

/** What outlives a restart. Route names and numbers only. */
export interface SavedWatch {
  readonly route: string;
  readonly key: string;
  readonly rung: RungName;
  readonly trips: number;
  readonly compared: number;
  readonly served: readonly QualitySample[];
  readonly tried: readonly QualitySample[];
}

const keyOf = ({ options, qualityBudget: { kl, top1 } }: RouteReuse): string =>
  JSON.stringify([options, kl, top1]);

export class QualityGuard {
  readonly #watches = new Map<string, Watch>();
  readonly #saved = new Map<string, SavedWatch>();

  constructor(saved: readonly SavedWatch[] = []) {
    for (const one of saved) this.#saved.set(one.route, one);
  }

  standing(route: Route): Standing {
    const { ladder, at } = this.#watch(route);
    return { served: ladder[at]!, tried: ladder[at - 1] ?? null };
  }

  /** The share of the route's reused requests that should be compared with a full prefill, 0..1. */
  shareOf(route: Route): number {
    const { share } = route.reuse.qualityBudget;
    if (share === 0) return 0;
    const { compared, served } = this.#watch(route);
    const { estimate } = served;
    if (estimate.samples > 0 && !isWithin(estimate, route.reuse.qualityBudget)) {
      return Math.max(share, SUSPICIOUS_SHARE);
    }
    return compared < YOUNG ? Math.max(share, YOUNG_SHARE) : share;
  }

  /** One comparison of a rung; the move that follows from it, null = none. */
  record(route: Route, rung: RungName, sample: QualitySample): GuardMove | null {
    const watch = this.#watch(route);
    const { ladder, at } = watch;
    const budget = route.reuse.qualityBudget;
    watch.compared++;
    if (ladder[at]?.name === rung) {
      watch.served.add(sample);
      const { estimate } = watch.served;
      const leaves = estimate.samples >= LEAST && isOutside(estimate, budget);
      // Below the exact prefix there is nothing to go to.
      return leaves && at < ladder.length - 1 ? this.#move(route, at + 1, estimate) : null;
    }
    // The route has moved since the comparison was asked for.
    if (ladder[at - 1]?.name !== rung) return null;
    watch.tried.add(sample);
    const { estimate } = watch.tried;
    const earned = estimate.samples >= this.#needed(watch, budget) && isWithin(estimate, budget);
    return earned ? this.#move(route, at - 1, estimate) : null;
  }

  stateOf(route: Route): GuardState {
    const watch = this.#watch(route);
    const { ladder, at, trips, compared } = watch;
    const above = ladder[at - 1];
    const needed = this.#needed(watch, route.reuse.qualityBudget);
    const tried = above ? { ...watch.tried.estimate, rung: above.name, needed } : null;
    const served = watch.served.estimate;
    return { route: route.name, rung: ladder[at]!.name, trips, compared, served, tried };
  }

  /** For a file; `restore` by handing it to the constructor. */
  save(): SavedWatch[] {
    const watched = [...this.#watches].map(
      ([route, { key, ladder, at, trips, compared, served, tried }]): SavedWatch => ({
        ...{ route, key, rung: ladder[at]!.name, trips, compared },
        served: served.samples,
        tried: tried.samples,
      }),
    );
    const unseen = [...this.#saved.values()].filter(({ route }) => !this.#watches.has(route));
    return [...watched, ...unseen];
  }

  #move(route: Route, to: number, estimate: Estimate): GuardMove {
    const watch = this.#watch(route);
    const from = watch.at;
    watch.at = to;
    watch.served.clear();
    if (to > from) watch.trips++;
    watch.tried = this.#trials(watch.ladder, watch, route.reuse.qualityBudget);
    const name = (at: number): RungName => watch.ladder[at]!.name;
    return { route: route.name, from: name(from), to: name(to), isTrip: to > from, estimate };
  }

  #needed({ ladder, at, trips }: Pick<Watch, 'ladder' | 'at' | 'trips'>, budget: QualityBudget) {
    const isTrial = ladder[at]?.name === 'substitute';
    const doublings = Math.min(MOST_DOUBLINGS, Math.max(0, trips - 1));
    return (isTrial ? budget.samples : CLEAN) * 2 ** doublings;
  }

  #trials(
    ladder: readonly Rung[],
    { at, trips }: { at: number; trips: number },
    budget: QualityBudget,
    samples: readonly QualitySample[] = [],
  ): QualityWindow {
    return new QualityWindow(this.#needed({ ladder, at, trips }, budget), samples);
  }

  /** Other settings begin anew. */
  #watch({ name, reuse }: Route): Watch {
    const key = keyOf(reuse);
    const known = this.#watches.get(name);
    if (known?.key === key) return known;
    const ladder = ladderOf(reuse.options);
    const saved = this.#saved.get(name);
    const again = saved?.key === key ? saved : null;
    this.#saved.delete(name);
    const rung = ladder.findIndex((one) => one.name === again?.rung);
    const at = rung < 0 ? firstRung(reuse.options) : rung;
    const trips = again?.trips ?? 0;
    const watch: Watch = {
      ...{ key, ladder, at, trips, compared: again?.compared ?? 0 },
      served: new QualityWindow(REMEMBERED, again?.served),
      tried: this.#trials(ladder, { at, trips }, reuse.qualityBudget, again?.tried),
    };
    this.#watches.set(name, watch);
    return watch;
  }
}
