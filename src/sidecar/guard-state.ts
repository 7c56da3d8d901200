// What guards the answers of each route, for an operator. The only place that knows where this is kept.
import type { QualityGuard, RouteTable, RungName } from '../routes/index.ts';

export interface GuardedRoute {
  readonly route: string;
  /** Answers that were compared with full prefill since the last move. */
  readonly samples: number;
  /** Share of them with the same first token; null without any. */
  readonly top1: number | null;
  /** Mean KL to full prefill, nats; null without any. */
  readonly kl: number | null;
  /** The settings that serve: as asked, or less. */
  readonly state: RungName;
  /** Times that it was made to reuse less. */
  readonly trips: number;
}

export function guardStates(routes: RouteTable, guard: QualityGuard): GuardedRoute[] {
  return routes.all.map((route) => {
    const { rung: state, trips, served } = guard.stateOf(route);
    const { samples, top1, kl } = served;
    return { route: route.name, samples, top1, kl, state, trips };
  });
}
