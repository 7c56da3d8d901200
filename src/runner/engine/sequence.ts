// One request on its way through the engine: what it asked for, what is computed, what it costs.
import type {
  DegradedReason,
  EndReason,
  GenerateEvent,
  GenerateRequest,
  StoredContext,
} from '../../protocol/index.ts';
import { complement, positions, type TokenRange } from '../../kv/index.ts';
import type { PageView } from '../store/kv-page.ts';
import { EventQueue } from './event-queue.ts';
import { LiveKv } from './live-kv.ts';
import { seededRandom } from './sampler.ts';
import type { StagedPrefill } from './staged-prefill.ts';

/** waiting → prefill → keep → decode → done */
export type Phase = 'waiting' | 'prefill' | 'keep' | 'decode' | 'done';

export class Sequence {
  readonly request: GenerateRequest;
  readonly signal: AbortSignal;
  readonly events = new EventQueue<GenerateEvent>();
  readonly live = new LiveKv();
  readonly random: () => number;
  readonly submittedAt: number;
  readonly generated: number[] = [];
  phase: Phase = 'waiting';

  /** Target positions still to be computed; replaced when imports turn out to be gone. */
  pending: Int32Array;
  /** Positions whose KV can be shared with the donor's pages: a prefix at its own place. */
  sharedViews: readonly PageView[] = [];
  /** Positions before this one depend on exact KV only. */
  exactTokens: number;
  /** While the prompt is computed in stages; null = as ranges. */
  staged: StagedPrefill | null = null;
  /** Imported tokens that are computed again while the answer is written, next one first. */
  refresh = new Int32Array(0);
  refreshed = 0;
  /** Layer-tokens with fresh Q, K, V. */
  layerTokens = 0;
  stored: StoredContext | null = null;
  counts = { exact: 0, imported: 0, recomputed: 0 };
  degraded: DegradedReason | null = null;
  readonly missingSegments: string[] = [];
  timings = { queueMs: 0, importMs: 0, prefillMs: 0, overheadMs: 0 };

  constructor(request: GenerateRequest, signal: AbortSignal) {
    this.request = request;
    this.signal = signal;
    this.random = seededRandom(request.sampling.seed);
    this.submittedAt = performance.now();
    this.exactTokens = request.tokens.length;
    this.pending = new Int32Array(0);
    this.setRecompute(this.plannedRecompute());
  }

  plannedRecompute(): readonly TokenRange[] {
    return this.request.plan?.recompute ?? [{ start: 0, end: this.request.tokens.length }];
  }

  setRecompute(ranges: readonly TokenRange[]): void {
    this.pending = Int32Array.from(positions(ranges));
    this.counts.recomputed = this.pending.length;
  }

  /** Kept stretches of an import: what recompute ranges do not override. */
  keptRanges(entry: { targetStart: number; length: number }): TokenRange[] {
    const whole = { start: entry.targetStart, end: entry.targetStart + entry.length };
    const over = this.plannedRecompute().filter((r) => r.end > whole.start && r.start < whole.end);
    return complement(whole, over);
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
        recomputedTokens: this.counts.recomputed,
        chargedRecompute: this.layerTokens / (numLayers * tokens.length),
        degraded: this.degraded,
        missingSegments: this.missingSegments,
        timings: { ...this.timings },
      },
    });
  }

  end(reason: EndReason): void {
    this.events.push({ type: 'end', reason, refreshedTokens: this.refreshed });
    this.#close();
  }

  fail(): void {
    this.events.push({
      type: 'error',
      code: 'runner_failed',
      message: 'The runner failed on this request.',
    });
    this.#close();
  }

  #close(): void {
    this.phase = 'done';
    this.live.dispose();
    this.staged?.dispose();
    this.staged = null;
    this.events.close();
  }
}
