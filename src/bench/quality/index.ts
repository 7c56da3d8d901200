// `bench quality`: what reuse does to answers.
export { builtInCases } from './cases/index.ts';
export type { PolicyVariant } from './measure-case.ts';
export { paretoSvg } from './pareto-svg.ts';
export { limitByFamily, readCases } from './quality-case.ts';
export { formatQuality, qualityMarkdown } from './quality-table.ts';
export { runQuality } from './quality.ts';
