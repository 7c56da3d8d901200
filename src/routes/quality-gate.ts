// Whether a policy that changes tokens has earned its place on a route: it stays in shadow until enough samples
// have shown that its answers begin as a full prefill's do. What was earned can be lost again.
import type { QualityBudget } from './read-reuse.ts';

/** Newest samples that count, at least; a budget that asks for more remembers more. */
const REMEMBERED = 200;

export interface GateState {
  readonly route: string;
  readonly samples: number;
  /** Share of samples with the same first token; null without any. */
  readonly top1: number | null;
  readonly open: boolean;
}

export class QualityGate {
  readonly #samples = new Map<string, boolean[]>();

  /** One trial: whether the first token was that of a full prefill. */
  record(route: string, agrees: boolean, { samples: needed }: QualityBudget): void {
    const samples = this.#samples.get(route) ?? [];
    samples.push(agrees);
    if (samples.length > Math.max(REMEMBERED, needed)) samples.shift();
    this.#samples.set(route, samples);
  }

  stateOf(route: string, { top1: least, samples: needed }: QualityBudget): GateState {
    const samples = this.#samples.get(route) ?? [];
    const agreeing = samples.filter(Boolean).length;
    const top1 = samples.length === 0 ? null : agreeing / samples.length;
    const open = samples.length >= needed && top1 !== null && top1 >= least;
    return { route, samples: samples.length, top1, open };
  }

  /** Other settings have to earn it again. */
  forget(): void {
    this.#samples.clear();
  }
}
