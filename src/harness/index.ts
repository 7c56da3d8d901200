// What the demo and the benchmarks share: a served KVShare and a timed request against it.
export { cut, monotonicMs, postForStream, sentEvents } from './post-stream.ts';
export type { Piece, Post } from './post-stream.ts';
export { serveTenants } from './test-server.ts';
export type { Served } from './test-server.ts';
export { timedRequest } from './timed-request.ts';
export type { ChatTurn, TimedAnswer } from './timed-request.ts';
