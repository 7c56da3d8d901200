// The contribution: from equal runs to a reuse plan. Pure: no I/O, clock or randomness.
export { defaultReuseOptions, planReasons } from './options.ts';
export type { PlanDecision, PlanReason, ReuseOptions } from './options.ts';
export { planReuse } from './plan-reuse.ts';
export type { PlanInput } from './plan-input.ts';
