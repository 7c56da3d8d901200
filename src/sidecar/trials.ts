// Shadow: what a policy on trial would have answered. Behind a served request, when nobody waits, the prompt is
// computed twice more, cold and by the policy's plan, one token each; whether the two agree is a sample. Nothing of
// it is stored or sent.
import type { GenerateRequest, Runner } from '../protocol/index.ts';
import type { QualityGate, Route } from '../routes/index.ts';
import type { Log, SidecarMetrics } from '../telemetry/index.ts';
import type { Admission } from './admission.ts';

/** Trials that wait for an idle moment; more are not needed, traffic goes on. */
const MAX_WAITING = 4;
const DEADLINE_MS = 60_000;

export interface TrialsOptions {
  readonly runner: Runner;
  readonly admission: Admission;
  readonly gate: QualityGate;
  readonly metrics: SidecarMetrics;
  readonly log: Log;
}

export interface Trial {
  readonly route: Route;
  /** With the plan that is tried. */
  readonly request: GenerateRequest;
}

/** The first token; null when the runner did not do as it was told. */
async function firstToken(
  { runner }: TrialsOptions,
  request: GenerateRequest,
  signal: AbortSignal,
): Promise<number | null> {
  const { plan } = request;
  for await (const event of runner.generate(request, signal)) {
    if (event.type === 'receipt' && (event.receipt.degraded ?? null) !== null) return null;
    if (event.type === 'token') return event.id;
    if (event.type === 'error') return null;
    // A stop token is not sent: the answer is empty, which is an answer as well.
    if (event.type === 'end') return plan || event.reason === 'stop' ? -1 : null;
  }
  return null;
}

export class Trials {
  readonly #options: TrialsOptions;
  readonly #waiting: Trial[] = [];
  #running: Promise<void> | null = null;
  #closed = false;
  readonly #stop = new AbortController();

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** Queued until nobody is being served; dropped when too many wait. */
  add(trial: Trial): void {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(trial);
  }

  /** Call when a request has left. */
  resume(): void {
    if (this.#closed || this.#running || this.#options.admission.inside > 0) return;
    const trial = this.#waiting.shift();
    if (!trial) return;
    this.#running = this.#run(trial)
      .catch((error: unknown) => {
        this.#options.log.debug({ name: (error as Error).name }, 'a trial failed');
      })
      .finally(() => {
        this.#running = null;
        this.resume();
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    await this.#running;
  }

  async #run({ route, request }: Trial): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(DEADLINE_MS)]);
    const once = { sampling: { ...request.sampling, temperature: 0, maxTokens: 1 }, store: false };
    const cold = await firstToken(this.#options, { ...request, ...once, plan: null }, signal);
    const tried = await firstToken(this.#options, { ...request, ...once }, signal);
    if (cold === null || tried === null) return;
    this.#options.gate.record(route.name, cold === tried, route.reuse.qualityBudget);
    this.#options.metrics.trials.inc({ route: route.name, agrees: `${cold === tried}` });
  }
}
