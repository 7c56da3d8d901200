// Processes: starting `kvshare` children, keeping a runner alive, ending everything. No HTTP, no tensors.
export { announceReady, exitWithParent, startChild, stopChild } from './child-process.ts';
export { superviseRunner } from './supervise-runner.ts';
