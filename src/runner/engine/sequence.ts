// One request on its way through the engine: what it asked for, what is computed, what it costs.
import type { ErrorCode } from '../../errors.ts';
import {
  EventQueue,
  type DegradedReason,
  type EndReason,
  type GenerateEvent,
  type GenerateRequest,
  type StoredContext,
} from '../../protocol/index.ts';
import { complement, positions, type TokenRange } from '../../kv/index.ts';
import type { PageView } from '../store/kv-page.ts';
import type { Bringing, KvStore, Wanted } from '../store/kv-store.ts';
import type { LiveLease } from '../store/live-leases.ts';
import { LiveKv } from './live-kv.ts';
import type { RunDrift } from './run-drift.ts';
import { seededRandom } from './sampler.ts';
import type { Work } from './work.ts';

/** Tokens of an answer that room is made for at a time. */
const GROWTH = 32;

const broken = {
  runner_failed: 'The runner failed on this request.',
  memory_short: 'There is no memory for this request now.',
} as const satisfies Partial<Record<ErrorCode, string>>;

/** waiting → fetch (let in; its KV is on its way) → prefill → keep → decode → done */
export type Phase = 'waiting' | 'fetch' | 'prefill' | 'keep' | 'decode' | 'done';

/** A prefill that pauses after each chunk; ends with the logits behind the last token. */
export type Prefill = Work<Float32Array>;

export class Sequence {
  readonly request: GenerateRequest;
  readonly signal: AbortSignal;
  readonly events = new EventQueue<GenerateEvent>();
  readonly live = new LiveKv();
  /** What `live` may come to; null = not let in yet. */
  lease: LiveLease | null = null;
  readonly random: () => number;
  readonly submittedAt: number;
  readonly generated: number[] = [];
  phase: Phase = 'waiting';

  /** Target positions to compute, ascending: the plan's, and those whose import turns out to be gone. */
  fresh: Int32Array;
  /** Imported positions that are neither exact nor recomputed, ascending. */
  kept: Int32Array = new Int32Array(0);
  /** Of `fresh`, the rows whose attention scores the kept ones (query attention): what is new, and the question. */
  asking: Int32Array = new Int32Array(0);
  /** What computing some of the imported tokens again shows about the others; null = the plan does not ask. */
  drift: RunDrift | null = null;
  /** The computation between two steps. */
  prefill: Prefill | null = null;
  /** Positions whose KV can be shared with the donor's pages: a prefix at its own place. */
  sharedViews: readonly PageView[] = [];
  /** What the plan imports, on its way to live tensors; null = not asked for yet. */
  bringing: Bringing | null = null;
  #hasArrived = false;
  stored: StoredContext | null = null;
  counts = { exact: 0, imported: 0, toppedUp: 0 };
  /** Layers x tokens computed so far. */
  layerTokens = 0;
  /** Imported positions to be computed again while decoding, worst first. */
  stale: number[] = [];
  refreshed = 0;
  /** Rows of the prompt that went through the last layer. */
  computed = 0;
  degraded: DegradedReason | null = null;
  readonly missingSegments: string[] = [];
  timings = { queueMs: 0, importMs: 0, prefillMs: 0, overheadMs: 0 };

  constructor(request: GenerateRequest, signal: AbortSignal) {
    this.request = request;
    this.signal = signal;
    this.random = seededRandom(request.sampling.seed);
    this.submittedAt = performance.now();
    this.fresh = Int32Array.from(positions(this.plannedRecompute()));
  }

  /** Tokens of the prompt that are still to be computed. */
  get workLeft(): number {
    return Math.max(0, this.fresh.length - this.computed);
  }

  /** Prompt and answer so far. */
  get numTokens(): number {
    return this.request.tokens.length + this.generated.length;
  }

  /** That of the last generated token: it is sampled, its K and V are still to be computed. */
  get lastPosition(): number {
    return this.numTokens - 1;
  }

  /** Tokens that a step may bring its KV to: it grows by blocks. */
  get #tokensSoon(): number {
    const { request, generated } = this;
    const answer = Math.ceil((generated.length + 1) / GROWTH) * GROWTH;
    const again = this.#computesTwice ? request.tokens.length : 0;
    return request.tokens.length + again + Math.min(answer, request.sampling.maxTokens);
  }

  /** Room for its next step; false = not at the moment. Who was never let in asks nobody. */
  hasRoom(): boolean {
    return this.lease?.grow(this.#tokensSoon) ?? true;
  }

  /** Asks for room for all that its KV may come to; false = not before others have finished. */
  isLetIn(store: KvStore): boolean {
    const { tokens, sampling } = this.request;
    const most = tokens.length * (this.#computesTwice ? 2 : 1) + sampling.maxTokens;
    this.lease ??= store.lease(most, this.#wanted);
    return this.lease !== null;
  }

  get #wanted(): Wanted[] {
    const imports = this.request.plan?.imports ?? [];
    return imports.map(({ segment, donorStart: start, length }) => ({
      segment,
      start,
      end: start + length,
    }));
  }

  /** Scores are computed beside the KV that stays. */
  get #computesTwice(): boolean {
    const { plan } = this.request;
    return plan !== null && (plan.topUp !== null || plan.fullLayers > 0);
  }

  /** Asks for what the plan imports; true when it is live, or will not be. */
  hasKv(store: KvStore): boolean {
    if (this.bringing) return this.#hasArrived;
    this.bringing = store.bring(this.#wanted);
    this.#hasArrived = this.bringing.arrival === null;
    void this.bringing.arrival?.then(() => (this.#hasArrived = true));
    return this.#hasArrived;
  }

  plannedRecompute(): readonly TokenRange[] {
    return this.request.plan?.recompute ?? [{ start: 0, end: this.request.tokens.length }];
  }

  /** Kept stretches of an import: what recompute ranges do not override. */
  keptRanges(entry: { targetStart: number; length: number }): TokenRange[] {
    const whole = { start: entry.targetStart, end: entry.targetStart + entry.length };
    const over = this.plannedRecompute().filter((r) => r.end > whole.start && r.start < whole.end);
    return complement(whole, over);
  }

  /** Positions before this one depend on exact KV only: it is the first that keeps imported KV. */
  get exactTokens(): number {
    return this.kept[0] ?? this.request.tokens.length;
  }

  /** Top-up: these kept positions are computed, too. */
  addFresh(picked: Int32Array): void {
    const chosen = new Set(picked);
    this.kept = this.kept.filter((position) => !chosen.has(position));
    this.fresh = Int32Array.from([...this.fresh, ...picked]).sort();
  }

  endDrift(): void {
    this.drift?.dispose();
    this.drift = null;
  }

  /** An import or a choice failed: everything is computed, as if there had been no plan. */
  goCold(): void {
    this.prefill = null;
    this.live.clear();
    this.endDrift();
    this.sharedViews = [];
    this.counts = { exact: 0, imported: 0, toppedUp: 0 };
    this.stale = [];
    this.computed = 0;
    this.kept = new Int32Array(0);
    this.fresh = Int32Array.from(this.request.tokens.keys());
    this.degraded = 'import-failed';
  }

  sendReceipt(generation: string, numLayers: number): void {
    const { plan, tokens } = this.request;
    this.events.push({
      type: 'receipt',
      receipt: {
        planId: plan?.planId ?? null,
        generation,
        exactTokens: this.counts.exact,
        importedTokens: this.counts.imported,
        recomputedTokens: this.fresh.length,
        ...(plan?.topUp && { toppedUpTokens: this.counts.toppedUp }),
        chargedRecompute: this.layerTokens / (numLayers * tokens.length),
        degraded: this.degraded,
        missingSegments: this.missingSegments,
        timings: { ...this.timings },
      },
    });
  }

  end(reason: EndReason): void {
    const refreshes = (this.request.plan?.decodeRefresh ?? 0) > 0;
    this.events.push({
      type: 'end',
      reason,
      ...(refreshes && { refreshedTokens: this.refreshed }),
    });
    this.#close();
  }

  fail(code: keyof typeof broken): void {
    this.events.push({ type: 'error', code, message: broken[code] });
    this.#close();
  }

  /** Gives back all that it holds. */
  drop(): void {
    this.bringing?.release();
    // Runs the `finally` of a computation that stands between two steps.
    this.prefill?.return(new Float32Array(0));
    this.prefill = null;
    this.live.clear();
    this.endDrift();
    this.lease?.end();
  }

  #close(): void {
    this.phase = 'done';
    this.drop();
    this.events.close();
  }
}
