// The public door for library users: a sidecar in your own process, the runner port and the planner.
export { KvShareError, errorStatus } from './errors.ts';
export type { ErrorBody, ErrorCode } from './errors.ts';
export { checkPlan, planSchema } from './protocol/index.ts';
export type {
  GenerateEvent,
  GenerateRequest,
  Receipt,
  ReusePlan,
  Runner,
  RunnerInfo,
} from './protocol/index.ts';
export { defaultReuseOptions, planReuse } from './reuse/index.ts';
export type { PlanDecision, PlanInput, ReuseOptions } from './reuse/index.ts';
export { kvshare } from './mount/index.ts';
export type { Caller, KvShare, KvShareOptions, LoadedModel, MountHealth } from './mount/index.ts';
export { RunnerClient } from './runner/client.ts';
export { createSidecar } from './sidecar/index.ts';
export type {
  EvictEvent,
  FallbackEvent,
  PlanEvent,
  ReceiptEvent,
  Sidecar,
  SidecarEventMap,
  SidecarOptions,
} from './sidecar/index.ts';
export { createLog } from './telemetry/index.ts';
export { openGguf } from './gguf/index.ts';
export { loadTokenizer } from './tokenizer/index.ts';
