// Recorded traffic: what is kept of a request so that it can be planned again.
export { parseLine } from './recorded-request.ts';
export type { RecordedRequest } from './recorded-request.ts';
export { Recorder } from './recorder.ts';
export type { RecorderOptions } from './recorder.ts';
