// What the demo and the benchmarks share: a served KVShare and a timed request against it.
export { serveTenants } from './test-server.ts';
export type { Served, ServedTenant } from './test-server.ts';
export { timedRequest } from './timed-request.ts';
export type { ChatTurn, TimedAnswer, TimedRequest } from './timed-request.ts';
