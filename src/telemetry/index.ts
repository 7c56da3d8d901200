// Logs and metrics. Knows nothing of requests, plans or tensors.
export { createLog } from './log.ts';
export type { Log } from './log.ts';
export { SidecarMetrics } from './metrics.ts';
export type { FlightResult, Outcome } from './metrics.ts';
