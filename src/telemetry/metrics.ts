// What operators watch, in Prometheus' conventions: base units, `_total` counters, few labels, every
// series present from the start. One registry an instance, so that two sidecars in a process do not mix.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { GuardMetrics } from './guard-metrics.ts';
import { StoreMetrics } from './store-metrics.ts';

export const outcomes = ['cold', 'exact', 'reused'] as const;
export type Outcome = (typeof outcomes)[number];

/** How a wait for a prompt under way ended. */
export const flightResults = ['stored', 'failed', 'timeout', 'cancelled'] as const;
export type FlightResult = (typeof flightResults)[number];

const SHORT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1];
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class SidecarMetrics {
  readonly #registry = new Registry();
  readonly #registers = [this.#registry];
  readonly store = new StoreMetrics(this.#registry);
  readonly guard: GuardMetrics;
  readonly requests = new Counter({
    name: 'kvshare_requests_total',
    help: 'Completions by route and outcome, as confirmed by the runner.',
    labelNames: ['route', 'outcome'],
    registers: this.#registers,
  });
  readonly tokens = new Counter({
    name: 'kvshare_prompt_tokens_total',
    help: 'Prompt tokens by where their KV came from.',
    labelNames: ['source'],
    registers: this.#registers,
  });
  readonly reasons = new Counter({
    name: 'kvshare_plan_reasons_total',
    help: 'Planned requests by the reason why not more was reused.',
    labelNames: ['reason'],
    registers: this.#registers,
  });
  readonly paused = new Counter({
    name: 'kvshare_paused_requests_total',
    help: 'Requests that got the exact prefix alone, because reuse lost time lately on their route.',
    labelNames: ['route'],
    registers: this.#registers,
  });
  readonly failOpen = new Counter({
    name: 'kvshare_fail_open_total',
    help: 'Requests served cold because a part of the reuse path failed.',
    labelNames: ['stage'],
    registers: this.#registers,
  });
  readonly errors = new Counter({
    name: 'kvshare_errors_total',
    help: 'Requests that ended with an error, by its code.',
    labelNames: ['code'],
    registers: this.#registers,
  });
  readonly #runnerUp = new Gauge({
    name: 'kvshare_runner_up',
    help: '1 while there is a connection to the runner.',
    registers: this.#registers,
  });
  readonly #inFlight = new Gauge({
    name: 'kvshare_requests_in_flight',
    help: 'Requests that are being served or wait.',
    registers: this.#registers,
  });
  readonly #donors = new Gauge({
    name: 'kvshare_donors',
    help: 'Stored prompts that can be reused.',
    registers: this.#registers,
  });
  readonly recordDrops = new Counter({
    name: 'kvshare_record_drops_total',
    help: 'Requests that were served but not recorded.',
    labelNames: ['why'],
    registers: this.#registers,
  });
  readonly healed = new Counter({
    name: 'kvshare_healed_prefixes_total',
    help: 'Beginnings of prompts that were stored approximately and have been computed exactly since.',
    registers: this.#registers,
  });
  readonly singleFlight = new Counter({
    name: 'kvshare_single_flight_total',
    help: 'Waits for a prompt that was being computed, by how they ended.',
    labelNames: ['result'],
    registers: this.#registers,
  });
  readonly singleFlightWait = new Histogram({
    name: 'kvshare_single_flight_wait_seconds',
    help: 'Time that a request waited for prompts under way; part of its time to first token.',
    buckets: SECONDS,
    registers: this.#registers,
  });
  readonly tokenize = new Histogram({
    name: 'kvshare_tokenize_duration_seconds',
    help: 'Time to turn a request into tokens.',
    buckets: SHORT_SECONDS,
    registers: this.#registers,
  });
  readonly lookup = new Histogram({
    name: 'kvshare_lookup_duration_seconds',
    help: 'Time to find donors and make a plan.',
    buckets: SHORT_SECONDS,
    registers: this.#registers,
  });
  readonly ttft = new Histogram({
    name: 'kvshare_ttft_seconds',
    help: 'Time from the request to its first token, at the sidecar.',
    labelNames: ['outcome'],
    buckets: SECONDS,
    registers: this.#registers,
  });

  /** Labels that this room does not know: routes, the planner's reasons, codes of errors, the guard's rungs. */
  constructor(
    routes: readonly string[],
    { reasons, codes, rungs }: Record<'reasons' | 'codes' | 'rungs', readonly string[]>,
  ) {
    this.guard = new GuardMetrics(this.#registry, rungs);
    this.addRoutes(routes);
    for (const code of codes) this.errors.inc({ code }, 0);
    for (const source of ['exact', 'imported', 'recomputed']) this.tokens.inc({ source }, 0);
    for (const reason of reasons) this.reasons.inc({ reason }, 0);
    for (const why of ['backlog', 'full', 'failed']) this.recordDrops.inc({ why }, 0);
    for (const stage of ['plan', 'embed', 'runner']) this.failOpen.inc({ stage }, 0);
    for (const result of flightResults) this.singleFlight.inc({ result }, 0);
    for (const outcome of outcomes) this.ttft.zero({ outcome });
  }

  /** Every series of a route is present from its first moment. */
  addRoutes(routes: readonly string[]): void {
    for (const route of routes) {
      for (const outcome of outcomes) this.requests.inc({ route, outcome }, 0);
      this.guard.addRoute(route);
    }
  }

  /** As it is at this moment. */
  showState(state: { runnerUp: boolean; inFlight: number; donors: number }): void {
    this.#runnerUp.set(state.runnerUp ? 1 : 0);
    this.#inFlight.set(state.inFlight);
    this.#donors.set(state.donors);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
