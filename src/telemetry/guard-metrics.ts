// What the guard finds, by route: tenants are counted, never named.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Why an answer that should have been compared was not: see `kvshare_guard_missed_total`. */
export const missCauses = ['crowded', 'gone', 'timeout', 'failed'] as const;
export type MissCause = (typeof missCauses)[number];

/** As far as metrics show a route's state. */
export interface ShownGuard {
  readonly route: string;
  /** By rung. */
  readonly tenants: Readonly<Record<string, number>>;
  readonly kl: number | null;
  readonly top1: number | null;
}

export class GuardMetrics {
  readonly #rungs: readonly string[];
  readonly samples: Counter<'route' | 'rung' | 'agrees'>;
  readonly missed: Counter<'cause'>;
  readonly divergence: Histogram;
  readonly trips: Counter<'route'>;
  readonly shadowed: Counter<'route' | 'outcome'>;
  readonly shadowedTokens: Counter<'route'>;
  readonly #rung: Gauge<'route' | 'rung'>;
  readonly #kl: Gauge<'route'>;
  readonly #top1: Gauge<'route'>;

  constructor(registry: Registry, rungs: readonly string[]) {
    const registers = [registry];
    this.#rungs = rungs;
    this.samples = new Counter({
      name: 'kvshare_guard_samples_total',
      help: 'Requests computed in full and by their plan, by whether the first token was the same.',
      labelNames: ['route', 'rung', 'agrees'],
      registers,
    });
    this.missed = new Counter({
      name: 'kvshare_guard_missed_total',
      help: 'Comparisons that came to nothing: too many waiting, donors gone, out of time, or the runner failed.',
      labelNames: ['cause'],
      registers,
    });
    for (const cause of missCauses) this.missed.inc({ cause }, 0);
    this.divergence = new Histogram({
      name: 'kvshare_guard_divergence_nats',
      help: 'Mean KL of reuse from full prefill along an answer.',
      buckets: [0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3],
      registers,
    });
    this.trips = new Counter({
      name: 'kvshare_guard_trips_total',
      help: 'Times that answers of a route left its quality budget and a tenant was made to reuse less.',
      labelNames: ['route'],
      registers,
    });
    this.shadowed = new Counter({
      name: 'kvshare_shadow_requests_total',
      help: 'Requests of routes in shadow mode by the outcome that they would have had.',
      labelNames: ['route', 'outcome'],
      registers,
    });
    this.shadowedTokens = new Counter({
      name: 'kvshare_shadow_saved_tokens_total',
      help: 'Prompt tokens of routes in shadow mode that would not have been computed.',
      labelNames: ['route'],
      registers,
    });
    this.#rung = new Gauge({
      name: 'kvshare_guard_rung',
      help: 'Tenants that are served with these settings of the route: asked, substitute, tightened or exact.',
      labelNames: ['route', 'rung'],
      registers,
    });
    this.#kl = new Gauge({
      name: 'kvshare_guard_kl_nats',
      help: 'Rolling mean KL of reuse from full prefill.',
      labelNames: ['route'],
      registers,
    });
    this.#top1 = new Gauge({
      name: 'kvshare_guard_top1_ratio',
      help: 'Rolling share of first tokens that are those of full prefill.',
      labelNames: ['route'],
      registers,
    });
  }

  show({ route, tenants, kl, top1 }: ShownGuard): void {
    for (const rung of this.#rungs) this.#rung.set({ route, rung }, tenants[rung] ?? 0);
    if (kl !== null) this.#kl.set({ route }, kl);
    if (top1 !== null) this.#top1.set({ route }, top1);
  }

  /** Every series of a route is present from its first moment; what was never measured is no number. */
  addRoute(route: string): void {
    this.trips.inc({ route }, 0);
    this.shadowedTokens.inc({ route }, 0);
    for (const outcome of ['cold', 'exact', 'reused']) this.shadowed.inc({ route, outcome }, 0);
    for (const rung of this.#rungs) {
      for (const agrees of ['true', 'false']) this.samples.inc({ route, rung, agrees }, 0);
      this.#rung.set({ route, rung }, 0);
    }
    this.#kl.set({ route }, NaN);
    this.#top1.set({ route }, NaN);
  }
}
