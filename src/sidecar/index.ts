// HTTP in, HTTP out: OpenAI's surface before a runner. Knows text, tokens, donors and plans; no tensors.
export { createSidecar } from './create-sidecar.ts';
export type { Sidecar, SidecarOptions } from './create-sidecar.ts';
// For apps that serve it themselves.
export { answerError, logError } from './answer-error.ts';
export { createCore } from './core.ts';
export type { CoreOptions, SidecarCore } from './core.ts';
export { endpointAt, endpointPaths, planEndpoint, serves } from './endpoints.ts';
export type { Endpoint } from './endpoints.ts';
export { SidecarEvents } from './events.ts';
export type {
  EvictEvent,
  FallbackEvent,
  PlanEvent,
  ReceiptEvent,
  SidecarEventMap,
  SidecarListener,
} from './events.ts';
export type { Identify, Principal } from './identify.ts';
export { pathIn } from './message.ts';
export { metricsText } from './metrics-text.ts';
export { healthOf } from './probes.ts';
export type { Health } from './probes.ts';
export { nameRequest } from './request-id.ts';
export { OperatorKey } from './operator-key.ts';
export type { OperatedDonor, Operator } from './operator.ts';
export type { ServedRequest } from './served-request.ts';
export type { WarmPrompt } from './warm.ts';
