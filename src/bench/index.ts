// The benchmark suites behind `kvshare bench`. Each returns one JSON object and a readable table.
export { formatTtft, runTtft } from './ttft.ts';
export { ttftFamilies } from './ttft-cases.ts';
export { runHitRate } from './hit-rate.ts';
export { formatHitRate } from './hit-rate-table.ts';
export { formatIndex, runIndexSuite } from './index-suite.ts';
export { InstantRunner } from './overhead/instant-runner.ts';
export type { BypassingApps } from './overhead/mounted-bypass.ts';
export { formatOverhead, runOverhead } from './overhead/overhead.ts';
export { formatLoad, runLoad } from './load/load.ts';
export { contestantNames } from './adapters/contestants.ts';
export { formatAdapters, runAdapters } from './adapters/adapters.ts';
export { runPeers } from './peers/peers.ts';
export { formatPeers } from './peers/peers-table.ts';
export {
  builtInCases,
  formatQuality,
  limitByFamily,
  paretoSvg,
  qualityMarkdown,
  readCases,
  runQuality,
} from './quality/index.ts';
export type { PolicyVariant } from './quality/index.ts';
export { formatSafety, runSafety } from './safety/index.ts';
