// `bench safety`: whether reuse gives anything away.
export { formatSafety } from './safety-table.ts';
export { runSafety } from './safety.ts';
