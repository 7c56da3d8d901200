// What a sidecar and a runner say to each other. Knows nothing of HTTP, tensors or text.
export { PLAN_VERSION, policyNames, topUpSelectors } from './reuse-plan.ts';
export type {
  DegradedReason,
  PlanImport,
  PlanRecompute,
  PolicyName,
  Receipt,
  ReceiptTimings,
  RecomputeReason,
  ReusePlan,
  TopUp,
} from './reuse-plan.ts';
export type { AdapterOptions, AdapterRegistry, OpenAdapter } from './adapter.ts';
export { checkPlan } from './check-plan.ts';
export { checkRequest } from './check-request.ts';
export { EventQueue } from './event-queue.ts';
export { planSchema } from './plan-schema.ts';
export type { CompareRequest, Comparison } from './comparison.ts';
export { SegmentNames } from './segment-names.ts';
export type {
  EndReason,
  GenerateEvent,
  GenerateRequest,
  SamplingOptions,
  StoredContext,
} from './generation.ts';
export type { StoreControl, StoredReport, StoreTier } from './store-control.ts';
export type {
  ImportAbility,
  Runner,
  RunnerCapabilities,
  RunnerInfo,
  SpeedTable,
  StoreEvent,
} from './runner.ts';
