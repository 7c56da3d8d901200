// Keeps watch over the answers of each route, tenant by tenant: what one tenant asks must neither change how another is
// served nor tell it anything. Somebody new begins where most of the others stand, once there are a few: what is wrong
// with all of them is not found out again by everybody, and nobody decides that alone.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { firstRung, ladderOf, type RungName } from './ladder.ts';
import {
  QualityWatch,
  type Move,
  type SavedState,
  type Standing,
  type WatchState,
} from './quality-watch.ts';
import type { QualitySample } from './quality-window.ts';
import type { RouteReuse } from './read-reuse.ts';
import type { Route } from './route.ts';

/** Tenants times routes that are remembered, the last used: about 10 KB each. */
const MOST_WATCHES = 1_000;
/** Fewer others say nothing of the route. */
const FEW = 3;

/** Null = nobody that is known; nothing is reused for it. */
type TenantName = string | null;

export interface TenantState extends WatchState {
  readonly tenant: TenantName;
}

export interface GuardState extends WatchState {
  readonly route: string;
}

export interface GuardMove extends Move {
  readonly route: string;
  readonly tenant: TenantName;
}

/** Names of routes and tenants, and numbers. */
export interface SavedWatch extends SavedState {
  readonly route: string;
  readonly key: string;
  /** These two are missing where routes were watched as a whole: then it is where each tenant begins. */
  readonly match?: string;
  readonly tenant?: TenantName;
}

interface Entry {
  readonly route: string;
  readonly match: string;
  readonly tenant: TenantName;
  /** Equal for equal settings. */
  readonly key: string;
  readonly watch: QualityWatch;
}

const keyOf = ({ options, qualityBudget: { kl, top1 } }: RouteReuse): string =>
  JSON.stringify([options, kl, top1]);

/** Names can change hands. An API key is left out, since this goes to a file. */
const matchOf = ({ match: { key: _, ...match } }: Route): string => JSON.stringify(match);

const digest = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

const idOf = (route: string, match: string, tenant: TenantName): string =>
  JSON.stringify([route, match, tenant]);

/** Where a tenant begins on a route that was watched as a whole: of others' answers nothing is handed on. */
const beginningOf = ({ rung, trips }: SavedWatch): SavedState => ({
  ...{ rung, trips, compared: 0, served: [], tried: [] },
});

export class QualityGuard {
  readonly #entries: LRUCache<string, Entry>;
  readonly #saved = new Map<string, SavedWatch>();

  constructor(saved: readonly SavedWatch[] = [], most: number = MOST_WATCHES) {
    this.#entries = new LRUCache({ max: most });
    for (const one of saved) {
      const { route, match, tenant } = one;
      const isWhole = match === undefined || tenant === undefined;
      this.#saved.set(isWhole ? route : idOf(route, match, tenant), one);
    }
  }

  standing(route: Route, tenant: TenantName): Standing {
    return this.#watch(route, tenant).standing;
  }

  /** The share of the tenant's reused requests that should be compared with a full prefill, 0..1. */
  shareOf(route: Route, tenant: TenantName): number {
    return this.#watch(route, tenant).shareOf(route.reuse.qualityBudget);
  }

  /** One comparison of a rung; the move that follows from it, null = none. */
  record(
    route: Route,
    tenant: TenantName,
    rung: RungName,
    sample: QualitySample,
  ): GuardMove | null {
    const move = this.#watch(route, tenant).record(route.reuse.qualityBudget, rung, sample);
    return move && { route: route.name, tenant, ...move };
  }

  stateOf(route: Route, tenant: TenantName): GuardState {
    const state = this.#watch(route, tenant).stateFor(route.reuse.qualityBudget);
    return { route: route.name, ...state };
  }

  /** Every tenant that is remembered. */
  statesOf(route: Route): TenantState[] {
    // Those of before a restart as well.
    for (const { route: name, tenant } of [...this.#saved.values()]) {
      if (name === route.name && tenant !== undefined) this.#watch(route, tenant);
    }
    const { qualityBudget } = route.reuse;
    return this.#entriesOf(route).map(({ tenant, watch }) => {
      return { tenant, ...watch.stateFor(qualityBudget) };
    });
  }

  /** For a file; `restore` by handing it to the constructor. */
  save(): SavedWatch[] {
    const watched = [...this.#entries.values()].map(({ match, watch, ...names }): SavedWatch => {
      return { ...names, match: digest(match), ...watch.save() };
    });
    return [...watched, ...this.#saved.values()].slice(0, this.#entries.max);
  }

  /** Other settings begin anew. */
  #watch(route: Route, tenant: TenantName): QualityWatch {
    const { name, reuse } = route;
    const key = keyOf(reuse);
    const match = matchOf(route);
    const id = idOf(name, match, tenant);
    const known = this.#entries.get(id);
    if (known?.key === key) return known.watch;
    const begin = this.#prevailing(route);
    const watch = new QualityWatch(reuse, this.#takeSaved(route, tenant), begin);
    this.#entries.set(id, { route: name, match, tenant, key, watch });
    return watch;
  }

  #takeSaved({ name, ...route }: Route, tenant: TenantName): SavedState | null {
    const key = keyOf(route.reuse);
    const id = idOf(name, digest(matchOf({ name, ...route })), tenant);
    const own = this.#saved.get(id);
    this.#saved.delete(id);
    if (own) return own.key === key ? own : null;
    const whole = this.#saved.get(name);
    if (whole?.key === key) return beginningOf(whole);
    this.#saved.delete(name);
    return null;
  }

  #entriesOf(route: Route): Entry[] {
    const [match, key] = [matchOf(route), keyOf(route.reuse)];
    return [...this.#entries.values()].filter(
      (entry) => entry.route === route.name && entry.match === match && entry.key === key,
    );
  }

  /** The rung of the one in the middle, of those whose own answers have put them where they are. */
  #prevailing(route: Route): RungName | null {
    const ladder = ladderOf(route.reuse.options).map(({ name }) => name);
    const places = this.#entriesOf(route)
      .filter(({ watch }) => watch.isSettled)
      .map(({ watch }) => ladder.indexOf(watch.standing.served.name))
      .sort((a, b) => a - b);
    if (places.length < FEW) return null;
    return ladder[places[(places.length - 1) >> 1]!]!;
  }
}

/** Where everybody begins on a route. */
export const beginningRung = ({ reuse: { options } }: Route): RungName =>
  ladderOf(options)[firstRung(options)]!.name;
