// The benchmark suites behind `kvshare bench`. Each returns one JSON object and a readable table.
export { formatTtft, runTtft } from './ttft.ts';
export { ttftFamilies } from './ttft-cases.ts';
export { runHitRate } from './hit-rate.ts';
export { formatHitRate } from './hit-rate-table.ts';
export { formatIndex, runIndexSuite } from './index-suite.ts';
