// The drill: proof that the guard trips. Knows the harness and the sample texts only.
export { formatDrill, runDrill } from './run-drill.ts';
export type { DrillReport } from './run-drill.ts';
