// The contribution: from equal runs to a reuse plan. Pure: no I/O, clock or randomness.
export { defaultReuseOptions, planReuse } from './plan-reuse.ts';
export type { PlanDecision, PlanInput, PlanReason, ReuseOptions } from './plan-reuse.ts';
