// The contribution: from equal runs to a reuse plan. Pure: no I/O, clock or randomness.
export { planReasons } from './options.ts';
export { defaultReuseOptions, optionsOf, searchFor, servesInShadow } from './policies.ts';
export type { PlanDecision, PlanReason, ReuseOptions } from './options.ts';
export { findEdits } from './edits.ts';
export { planReuse } from './plan-reuse.ts';
export { putTogether, recipeOf, type PutTogether } from './recipe.ts';
export type { PlanInput } from './plan-input.ts';
