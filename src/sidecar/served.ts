// Collects what there is to tell of a request while it is served; tells it once, at the end.
import type { ReusePlan, StoredContext } from '../protocol/index.ts';
import { putTogether } from '../reuse/index.ts';
import { donorsOf } from './explain-plan.ts';
import type { SidecarContext } from './context.ts';
import type { Planned } from './find-plan.ts';
import { marksOf } from './marks.ts';
import type { Provenance } from './openai-response.ts';
import type { Call } from './read-call.ts';
import type { ServedRequest } from './served-request.ts';

/** Donors that are told of, beside those that were used. */
const MOST_DONORS = 5;

/** Collected while a request is served. */
export class ServedNote {
  readonly #context: SidecarContext;
  readonly #call: Call;
  readonly #planned: Planned;
  readonly #epoch: number;
  #stored: string | null = null;
  provenance: Provenance | null = null;
  ttftMs: number | null = null;
  isWhole = false;

  /** `epoch`: of the ledger when the request began. */
  constructor(context: SidecarContext, call: Call, planned: Planned, epoch: number) {
    this.#context = context;
    this.#call = call;
    this.#planned = planned;
    this.#epoch = epoch;
  }

  /** Design step 5: it becomes a donor, unless an operator meanwhile deleted what it was computed over. */
  keep(stored: StoredContext): void {
    const { ledger, link, deletions, log } = this.#context;
    const imports = this.#planned.decision.plan?.imports ?? [];
    const parents = [...new Set(imports.map(({ segment }) => segment))];
    const { tenant } = this.#call.identity;
    const { decision, served, input } = this.#planned;
    const made = putTogether(decision.plan, served, input);
    const origin = { tenant, epoch: this.#epoch, parents, made, isReadable: this.#isReadable };
    if (ledger.admit(stored.segment, stored.scope, origin)) {
      this.#stored = stored.segment;
      link.remember(stored);
      return;
    }
    void deletions.remove([stored]).catch((error: unknown) => {
      log.warn({ name: (error as Error).name }, 'what was purged could not be deleted');
    });
  }

  /** Call once, when the request is over. */
  tell(): void {
    const { provenance } = this;
    if (!provenance) return;
    const { ledger, observers, wallClock, log } = this.#context;
    const { id, route, identity, prompt } = this.#call;
    const plan = this.#carriedOut(provenance);
    ledger.hit(new Set(plan?.imports.map(({ segment }) => segment)));
    const served: ServedRequest = {
      id,
      at: wallClock(),
      route: route.name,
      tenant: identity.tenant,
      scope: identity.scope,
      provenance,
      promptTokens: prompt.tokens.length,
      ttftMs: this.ttftMs,
      isWhole: this.isWhole,
      plan,
      stored: this.#stored,
      tokens: this.#isReadable ? prompt.tokens : null,
      spans: () => marksOf(plan, prompt.tokens.length),
      donors: () => donorsOf(this.#planned, MOST_DONORS),
    };
    try {
      for (const observer of observers) observer(served);
    } catch (error) {
      // Whoever watches must not cost anybody an answer.
      log.error({ name: (error as Error).name }, 'a served request could not be told of');
    }
  }

  /** What its sender wants kept nowhere is not kept for an operator either. */
  get #isReadable(): boolean {
    const { route, cache, identity } = this.#call;
    return route.inspect === 'text' && cache.store && identity.tenant !== null;
  }

  #carriedOut({ receipt }: Provenance): ReusePlan | null {
    const { plan } = this.#planned.decision;
    if (plan?.planId !== receipt.planId) return null;
    const missing = new Set(receipt.missingSegments);
    const imports = plan.imports.filter(({ segment }) => !missing.has(segment));
    const isUsed = receipt.degraded !== 'import-failed' && imports.length > 0;
    return isUsed ? { ...plan, imports } : null;
  }
}
