// What guards the answers of each route, for an operator and for metrics: all its tenants together, and those that are
// served with less than was asked for. The only place that knows where this is kept.
import {
  beginningRung,
  rungNames,
  type QualityGuard,
  type Route,
  type RouteTable,
  type RungName,
  type TenantState,
} from '../routes/index.ts';

/** Numbers of one tenant on one route, or of all of them. */
interface Guarded {
  /** Answers that were compared with full prefill since the last move. */
  readonly samples: number;
  /** Share of them with the same first token; null without any. */
  readonly top1: number | null;
  /** Mean KL to full prefill, nats; null without any. */
  readonly kl: number | null;
  /** The settings that serve: as asked, or less; of several tenants the least. */
  readonly state: RungName;
  /** Times that somebody was made to reuse less. */
  readonly trips: number;
}

export interface GuardedTenant extends Guarded {
  readonly tenant: string | null;
}

export interface GuardedRoute extends Guarded {
  readonly route: string;
  /** How many are served with each rung. */
  readonly tenants: Readonly<Record<RungName, number>>;
}

const guardedTenant = ({ tenant, rung, trips, served }: TenantState): GuardedTenant => {
  const { samples, top1, kl } = served;
  return { tenant, samples, top1, kl, state: rung, trips };
};

/** Every comparison counts the same. */
function meanOf(states: readonly Guarded[], which: 'top1' | 'kl'): number | null {
  const samples = states.reduce((sum, state) => sum + state.samples, 0);
  if (samples === 0) return null;
  return states.reduce((sum, state) => sum + (state[which] ?? 0) * state.samples, 0) / samples;
}

export function guardedRoute(guard: QualityGuard, route: Route): GuardedRoute {
  const states = guard.statesOf(route).map(guardedTenant);
  const count = (rung: RungName): number => states.filter(({ state }) => state === rung).length;
  const tenants = Object.fromEntries(rungNames.map((rung) => [rung, count(rung)]));
  return {
    route: route.name,
    samples: states.reduce((sum, { samples }) => sum + samples, 0),
    top1: meanOf(states, 'top1'),
    kl: meanOf(states, 'kl'),
    state: rungNames.findLast((rung) => tenants[rung]! > 0) ?? beginningRung(route),
    trips: states.reduce((sum, { trips }) => sum + trips, 0),
    tenants: tenants as Record<RungName, number>,
  };
}

export const guardedRoutes = (routes: RouteTable, guard: QualityGuard): GuardedRoute[] =>
  routes.all.map((route) => guardedRoute(guard, route));

/** Those that have fallen and are not back yet, of every route. */
export function fallenTenants(
  routes: RouteTable,
  guard: QualityGuard,
): (GuardedTenant & { readonly route: string })[] {
  return routes.all.flatMap((route) => {
    const begin = rungNames.indexOf(beginningRung(route));
    return guard
      .statesOf(route)
      .filter(({ rung }) => rungNames.indexOf(rung) > begin)
      .map((state) => ({ route: route.name, ...guardedTenant(state) }));
  });
}
