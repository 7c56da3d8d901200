// Does an edit change what a text says? Pure functions over short texts.
export { criticalChanges } from './critical-edit.ts';
export type { CriticalKind } from './critical-edit.ts';
