// What an operator sees of a running sidecar and can do to it. No text comes out of here but for requests and donors
// whose route allows it; who may ask is the business of the admin room.
import type { StoreControl } from '../protocol/index.ts';
import { KvShareError } from '../errors.ts';
import { tenantScope } from '../match/index.ts';
import type { RouteSettings } from '../routes/index.ts';
import type { SidecarContext } from './context.ts';
import { fallenTenants, guardedRoutes, type GuardedRoute } from './guard-state.ts';
import type { KeyRing } from './identify.ts';
import type { ServedObserver } from './served-request.ts';
import { warmUp, type Warmed, type WarmPrompt } from './warm.ts';

export interface OperatedDonor {
  readonly segment: string;
  readonly scope: string;
  /** Null = of nobody that is known: stored with a salt before this process began. */
  readonly tenant: string | null;
  readonly tokens: Int32Array;
  readonly exactTokens: number;
  readonly hits: number;
  /** Null = stored before this process began. */
  readonly ageMs: number | null;
  /** Since it was stored or last served. */
  readonly unusedMs: number | null;
  readonly hasUnknownAncestors: boolean;
  /** Whether an operator may read its text. */
  readonly isReadable: boolean;
}

export class Operator {
  readonly #context: SidecarContext;
  readonly #keys: KeyRing;
  readonly #reload: (settings: RouteSettings) => void;

  constructor(context: SidecarContext, keys: KeyRing, reload: (settings: RouteSettings) => void) {
    this.#context = context;
    this.#keys = keys;
    this.#reload = reload;
  }

  /** Every request that was answered from now on. Returns how to stop. */
  observe(observer: ServedObserver): () => void {
    this.#context.observers.add(observer);
    return () => this.#context.observers.delete(observer);
  }

  /** Null while the runner is not reachable. */
  get runner() {
    const { link } = this.#context;
    return link.connected ? link.info : null;
  }

  get inFlight(): number {
    return this.#context.admission.inside;
  }

  get numDonors(): number {
    return this.#context.finder.index.size;
  }

  get epoch(): number {
    return this.#context.ledger.epoch;
  }

  /** Whether somebody with this key is a tenant, and which one. */
  tenantOf(key: string): string | null {
    return this.#keys.tenantOf(key);
  }

  donors(): OperatedDonor[] {
    return [...this.#context.finder.index.donors()].map(({ segment }) => this.donor(segment)!);
  }

  donor(segment: string): OperatedDonor | null {
    const { finder, ledger, now } = this.#context;
    const donor = finder.index.get(segment);
    const record = ledger.recordOf(segment);
    if (!donor || !record) return null;
    const { scope, tokens, exactTokens, storedAt } = donor;
    const { tenant, hits, lastHitAt, hasUnknownAncestors, isReadable } = record;
    const lastUse = Math.max(storedAt, lastHitAt ?? -Infinity);
    const since = (time: number): number | null => (Number.isFinite(time) ? now() - time : null);
    return {
      ...{ segment, scope, tenant, tokens, exactTokens, hits, hasUnknownAncestors, isReadable },
      ageMs: since(storedAt),
      unusedMs: since(lastUse),
    };
  }

  /** The donor and all that were computed over it, there or gone; null when it is not known. */
  lineOf(segment: string): string[] | null {
    return this.#context.ledger.lineOf(segment);
  }

  /** Of these, the ones that are there. */
  touchedBy(segment: string): string[] | null {
    return this.#context.ledger.touchedBy(segment);
  }

  /** Throws `runner_unable` when the runner cannot be told. */
  get store(): StoreControl {
    return this.#control();
  }

  #control(): StoreControl {
    const { control } = this.#context.runner;
    if (control && this.#context.link.info.capabilities.storeControl) return control;
    throw new KvShareError('runner_unable', 'This runner’s store cannot be controlled.');
  }

  /**
   * No plan names them from this moment on; resolves when the runner has deleted them everywhere. One that does not
   * answer is asked until it does. Throws `runner_unavailable` before it is known what there is.
   */
  async remove(segments: readonly string[]): Promise<readonly string[]> {
    const { ledger, link, deletions, finder } = this.#context;
    if (!link.wasReached) {
      const message =
        'The runner has not been reached yet: nobody knows what it has. Nothing was deleted there.';
      throw new KvShareError('runner_unavailable', message);
    }
    // Whether it can delete at all; one that is away is not asked that now.
    if (link.connected) this.#control();
    const targets = segments.flatMap((segment) => {
      const scope = ledger.scopeOf(segment);
      return scope === null ? [] : [{ segment, scope }];
    });
    for (const segment of segments) ledger.purge(segment);
    link.forget(segments);
    const scopes = new Set(targets.map(({ scope }) => scope));
    const [removed] = await Promise.all([
      deletions.remove(targets),
      finder.similar?.forget(scopes),
    ]);
    return removed;
  }

  /** What is kept of a tenant beside its donors: vectors, and recorded requests, whose number is returned. */
  async forgetTenant(tenant: string): Promise<number> {
    const { ledger, finder, recorder } = this.#context;
    await finder.similar?.forget(ledger.scopesOf(tenant).add(tenantScope(tenant, null)));
    return (await recorder?.forget(tenant)) ?? 0;
  }

  /** Nothing that was stored or begun until now is used again, in one turn of the event loop. */
  async flush(): Promise<readonly string[]> {
    this.#context.ledger.flush();
    const [removed] = await Promise.all([
      this.remove(this.donors().map(({ segment }) => segment)),
      this.#context.finder.similar?.forget(null),
    ]);
    return removed;
  }

  warm(tenant: string, prompt: WarmPrompt, signal: AbortSignal): Promise<Warmed> {
    return warmUp(this.#context, tenant, prompt, signal);
  }

  get settings(): RouteSettings {
    return this.#context.routes.settings;
  }

  /** Other reuse settings from now on. */
  reload(settings: RouteSettings): void {
    this.#reload(settings);
  }

  /** Whether the prompts of this route may be read now. */
  mayRead(route: string): boolean {
    const { routes, inspect } = this.settings;
    const found = routes.find(({ name }) => name === route);
    return (found ? found.inspect : inspect) === 'text';
  }

  guardedRoutes(): GuardedRoute[] {
    return guardedRoutes(this.#context.routes, this.#context.guard);
  }

  /** The guard has them served with less than the route asks for. */
  fallenTenants() {
    return fallenTenants(this.#context.routes, this.#context.guard);
  }

  /** The text of each of these tokens, by itself. */
  textsOf(tokens: Int32Array): string[] {
    const { readText } = this.#context.finder;
    return Array.from(tokens, (_, at) => readText(tokens, at, at + 1));
  }
}
