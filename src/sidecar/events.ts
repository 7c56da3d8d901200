// What happens, told to whoever wants to know: names, numbers and ids, never a text or a token. A listener that throws or
// rejects is logged and hurts nobody.
import { EventEmitter } from 'node:events';
import type { Receipt } from '../protocol/index.ts';
import type { PlanReason } from '../reuse/index.ts';
import type { Log, Outcome } from '../telemetry/index.ts';

/** Which request. */
export interface RequestRef {
  readonly requestId: string;
  readonly route: string;
  /** Null = private. */
  readonly tenant: string | null;
}

export interface PlanEvent extends RequestRef {
  /** Null when nothing is imported. */
  readonly planId: string | null;
  readonly policy: string;
  readonly outcome: Outcome;
  readonly reason: PlanReason;
  readonly promptTokens: number;
  readonly exactTokens: number;
  readonly importedTokens: number;
  readonly recomputedTokens: number;
  readonly lookupMs: number;
  /** Spent on waiting for a prompt under way. */
  readonly waitedMs: number;
}

/** Only what stands here has happened. */
export interface ReceiptEvent extends RequestRef {
  readonly policy: string;
  readonly outcome: Outcome;
  readonly reason: PlanReason;
  readonly promptTokens: number;
  readonly receipt: Receipt;
}

/** Reuse was given up, the answer was not. */
export interface FallbackEvent extends RequestRef {
  /** Planning failed; the runner refused the plan; the runner could not do all of it. */
  readonly stage: 'plan' | 'runner' | 'receipt';
  readonly cause: string;
}

/** KV that the runner no longer has. */
export interface EvictEvent {
  readonly segments: readonly string[];
}

export interface SidecarEventMap {
  readonly plan: PlanEvent;
  readonly receipt: ReceiptEvent;
  readonly fallback: FallbackEvent;
  readonly evict: EvictEvent;
}

export type SidecarListener<N extends keyof SidecarEventMap> = (
  event: SidecarEventMap[N],
) => unknown;

export class SidecarEvents {
  readonly #emitter = new EventEmitter();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  on<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): void {
    this.#emitter.on(name, listener);
  }

  once<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): void {
    this.#emitter.once(name, listener);
  }

  off<N extends keyof SidecarEventMap>(name: N, listener: SidecarListener<N>): void {
    this.#emitter.off(name, listener);
  }

  emit<N extends keyof SidecarEventMap>(name: N, event: SidecarEventMap[N]): void {
    const failed = (error: unknown): void => {
      this.#log.warn({ event: name, name: (error as Error | null)?.name }, 'a listener failed');
    };
    for (const listener of this.#emitter.rawListeners(name) as SidecarListener<N>[]) {
      try {
        const result = listener.call(this.#emitter, event);
        if (result instanceof Promise) result.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
