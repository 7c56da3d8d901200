// Logs, metrics and traces. Knows nothing of requests, plans or tensors.
export { exportTraces } from './export-traces.ts';
export { createLog } from './log.ts';
export type { Log } from './log.ts';
export type { MissCause } from './guard-metrics.ts';
export { SidecarMetrics } from './metrics.ts';
export type { FlightResult, Outcome } from './metrics.ts';
export { startTrace } from './trace.ts';
export type { Trace } from './trace.ts';
