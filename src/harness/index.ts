// What the demo and the benchmarks share: a served KVShare and a timed request against it.
export { serveTenants } from './test-server.ts';
export type { Served } from './test-server.ts';
export { timedRequest } from './timed-request.ts';
export type { ChatTurn, TimedAnswer } from './timed-request.ts';
